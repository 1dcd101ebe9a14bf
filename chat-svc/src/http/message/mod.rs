//! `/chat/rooms/{room}/messages`, `…/read`

pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
pub(super) mod react;
pub(super) mod read;
pub(super) mod send;
