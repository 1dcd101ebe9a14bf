//! `/chat/rooms`, `/chat/dms`

pub(super) mod change;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod direct;
pub(super) mod list;
pub(super) mod show;
