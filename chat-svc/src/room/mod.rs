//! What a room is, what a user can ask of it, and who may.
//!
//! Nothing here does I/O: [`Command`] is what HTTP and WebSocket both turn a request into, [`rules`] decide on it, and
//! [`Refused`] is every way to say no. The write lane (`log`) loads what a rule looks at and stores what it allows.

mod attachment;
mod command;
mod event;
mod refused;
pub(crate) mod rules;
mod text;
mod types;

pub(crate) use attachment::{Attachment, AttachmentId, FileName, MOST_ATTACHMENTS};
pub(crate) use command::{Command, Outcome};
pub(crate) use event::{
    Entry, Event, EventKind, Message, Profile, Reaction, ReadMark, Since, Why, With, frame, role_detail,
};
pub(crate) use refused::Refused;
pub(crate) use text::{BadText, Body, ClientId, DELETED, Emoji, RoomName, Topic, Words, folded, mentions};
pub(crate) use types::{Kind, Member, Role, Room, RoomId, Seq};
