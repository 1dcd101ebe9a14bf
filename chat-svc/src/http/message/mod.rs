//! `/chat/rooms/{room}/messages`, `…/read`, `/chat/search`

pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
pub(super) mod react;
pub(super) mod read;
pub(super) mod search;
pub(super) mod send;
