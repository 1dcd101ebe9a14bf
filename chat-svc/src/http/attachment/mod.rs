//! `/chat/rooms/{room}/attachments`, `/chat/attachments/{id}`

pub(super) mod show;
pub(super) mod upload;
