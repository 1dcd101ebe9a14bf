//! `/chat/rooms/{room}/messages`, `…/read`, `/chat/search`, `/chat/unread`

pub(super) mod delete;
pub(super) mod edit;
pub(super) mod list;
pub(super) mod react;
pub(super) mod read;
pub(super) mod search;
pub(super) mod send;
pub(super) mod unread;
