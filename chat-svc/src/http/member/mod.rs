//! `/chat/rooms/{room}/members`, `…/bans`, `…/mutes`

pub(super) mod bans;
pub(super) mod join;
pub(super) mod leave;
pub(super) mod list;
pub(super) mod mutes;
pub(super) mod presence;
pub(super) mod put;
pub(super) mod remove;
