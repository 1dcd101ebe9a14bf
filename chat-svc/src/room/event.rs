//! What a room's log holds, and its one form on the wire: REST's items and the frames of the WebSocket are the same
//! objects, the frame with `t` before them.

use std::time::Instant;

use bytestring::ByteString;
use irongate_shared::{clock::Timestamp, id::UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Attachment, Role, RoomId, Seq, types::word};

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Message {
    pub room: RoomId,
    pub seq: Seq,
    pub from: UserId,
    /// The sender's own name for it.
    pub cid: String,
    pub ts: Timestamp,
    /// Null once it was deleted; empty beside attachments that need no words.
    pub body: Option<String>,
    pub reply_to: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
}

/// An emoji under a message, and whose it is, the first first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Reaction {
    pub emoji: String,
    pub users: Vec<UserId>,
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Profile {
    pub id: UserId,
    pub username: String,
    pub display_name: String,
    pub avatar_url: Option<String>,
}

impl Profile {
    /// What is shown of somebody of whom nothing is known yet.
    pub(crate) fn unknown(id: UserId) -> Self {
        Self { id, username: "unknown".to_owned(), display_name: "Unknown user".to_owned(), avatar_url: None }
    }
}

word! {
    /// What an event of the log is about, messages apart.
    EventKind {
        Edit = "edit",
        Delete = "del",
        React = "react",
        Unreact = "unreact",
        Joined = "joined",
        Invited = "invited",
        Left = "left",
        Removed = "kick",
        Banned = "ban",
        Role = "role",
        Muted = "mute",
        Unmuted = "unmute",
        /// Name or topic.
        Changed = "room",
    }
}

impl EventKind {
    /// How the user that it is about stops to be a member, if so.
    pub(crate) const fn ending(self) -> Option<Why> {
        match self {
            Self::Left => Some(Why::Left),
            Self::Removed => Some(Why::Kick),
            Self::Banned => Some(Why::Ban),
            Self::Edit
            | Self::Delete
            | Self::React
            | Self::Unreact
            | Self::Joined
            | Self::Invited
            | Self::Role
            | Self::Muted
            | Self::Unmuted
            | Self::Changed => None,
        }
    }
}

word! {
    /// Why a user is no longer in a room.
    Why {
        Left = "left",
        Kick = "kick",
        Ban = "ban",
        Deleted = "deleted",
    }
}

/// One event of a room's log, ready to be sent: serialized once per replica, the same bytes for every member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub room: RoomId,
    pub seq: Seq,
    pub frame: ByteString,
    /// Whose membership ends with it: that user's sockets stop following the room.
    pub ends: Option<(UserId, Why)>,
    /// Of events that this process wrote a moment ago.
    pub since: Option<Since>,
}

/// When an event was asked for, and when it was committed: how long its way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since {
    pub asked: Instant,
    pub committed: Instant,
}

/// The durable frames of the WebSocket.
#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(crate) enum Frame<'a> {
    Msg(&'a Message),
    Edit(Change<'a>),
    Del(Change<'a>),
    React(Change<'a>),
    Member(Change<'a>),
    Room(Change<'a>),
}

/// The fields of every event that is no message; each kind has its own ones filled.
#[derive(Debug, Serialize)]
pub(crate) struct Change<'a> {
    pub room: RoomId,
    pub seq: Seq,
    pub from: UserId,
    pub ts: Timestamp,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub message: Option<Seq>,
    /// Edits: what the message says now; null when it was deleted since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Members: what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<EventKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// Mutes: when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<&'a str>,
}

/// An event's row, with what its frame takes from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub room: RoomId,
    pub seq: Seq,
    pub kind: EventKind,
    pub actor: UserId,
    pub message: Option<Seq>,
    pub subject: Option<String>,
    pub detail: Option<String>,
    pub at: Timestamp,
    pub with: With,
}

/// What an event's frame shows that its row does not hold: it is read when the frame is made, so that a text that was
/// deleted, or a name that was changed, is so in replays too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum With {
    #[default]
    Nothing,
    Body(Option<String>),
    Profile(Profile),
    Room {
        name: Option<String>,
        topic: String,
    },
}

impl Message {
    pub(crate) fn to_event(&self) -> Event {
        Event { room: self.room, seq: self.seq, frame: frame(&Frame::Msg(self)), ends: None, since: None }
    }
}

impl Entry {
    /// The user that it is about, for events of membership.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.subject.as_deref().and_then(|subject| subject.parse().ok())
    }

    pub(crate) fn to_event(&self) -> Event {
        let mut change = Change {
            room: self.room,
            seq: self.seq,
            from: self.actor,
            ts: self.at,
            message: self.message,
            body: None,
            emoji: None,
            on: None,
            change: None,
            user: None,
            role: None,
            until: None,
            name: None,
            topic: None,
        };
        match &self.with {
            With::Nothing => {}
            With::Body(body) => change.body = Some(body.as_deref()),
            With::Profile(profile) => change.user = Some(profile),
            With::Room { name, topic } => {
                change.name = name.as_deref();
                change.topic = Some(topic);
            }
        }
        let frame = match self.kind {
            EventKind::Edit => frame(&Frame::Edit(change)),
            EventKind::Delete => frame(&Frame::Del(change)),
            EventKind::React | EventKind::Unreact => {
                change.emoji = self.subject.as_deref();
                change.on = Some(self.kind == EventKind::React);
                frame(&Frame::React(change))
            }
            EventKind::Changed => frame(&Frame::Room(change)),
            EventKind::Joined
            | EventKind::Invited
            | EventKind::Left
            | EventKind::Removed
            | EventKind::Banned
            | EventKind::Role
            | EventKind::Muted
            | EventKind::Unmuted => {
                change.change = Some(self.kind);
                match self.kind {
                    EventKind::Muted => change.until = self.detail.as_deref(),
                    _ => change.role = self.detail.as_deref(),
                }
                frame(&Frame::Member(change))
            }
        };
        let ends = self.kind.ending().and_then(|why| Some((self.user()?, why)));
        Event { room: self.room, seq: self.seq, frame, ends, since: None }
    }
}

/// The frame of a read mark that moved.
#[derive(Serialize)]
#[serde(tag = "t", rename = "read")]
pub(crate) struct ReadMark {
    pub room: RoomId,
    pub user: UserId,
    pub seq: Seq,
}

/// The text of a frame.
#[expect(clippy::expect_used, reason = "structs of texts and numbers always serialize")]
pub(crate) fn frame(frame: &impl Serialize) -> ByteString {
    serde_json::to_string(frame).expect("a frame is plain data").into()
}

/// A member's role as frames say it.
pub(crate) fn role_detail(role: Role) -> Option<String> {
    Some(role.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_rest_item_with_t_before_it() {
        let message = Message {
            room: RoomId::new(),
            seq: Seq(7),
            from: UserId::new(),
            cid: "c1".to_owned(),
            ts: Timestamp::from_millis(1_769_860_800_007),
            body: Some("hi".to_owned()),
            reply_to: None,
            edited_at: None,
            deleted: false,
            attachments: Vec::new(),
            reactions: Vec::new(),
        };

        let item = serde_json::to_string(&message).unwrap();
        let frame = message.to_event().frame;

        assert_eq!(frame.strip_prefix(r#"{"t":"msg","#), item.strip_prefix('{'));
    }
}
