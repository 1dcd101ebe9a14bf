//! What a user asks of a room, and what came of it.

use irongate_shared::{clock::Timestamp, id::UserId};

use super::{
    AttachmentId, BadText, Body, ClientId, Emoji, Kind, MOST_ATTACHMENTS, Message, Refused, Role, RoomName,
    Seq, Topic,
};

/// A change that a user asks for. Repeating one that was done changes nothing more, so a lane may run it again when it
/// does not know whether the first try was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Create {
        kind: Kind,
        name: RoomName,
        topic: Topic,
    },
    /// The direct room with `with`, made if there is none.
    OpenDirect {
        with: UserId,
    },
    Change {
        name: Option<RoomName>,
        topic: Option<Topic>,
    },
    Delete,
    Join,
    Leave,
    Invite {
        user: UserId,
    },
    Remove {
        user: UserId,
    },
    SetRole {
        user: UserId,
        role: Role,
    },
    Ban {
        user: UserId,
        until: Option<Timestamp>,
        reason: Option<Topic>,
    },
    Unban {
        user: UserId,
    },
    /// Until then the member reads but does not write; `None` ends it.
    Mute {
        user: UserId,
        until: Option<Timestamp>,
    },
    Send {
        cid: ClientId,
        /// Empty only beside attachments.
        body: Body,
        reply_to: Option<Seq>,
        /// Each once.
        attachments: Vec<AttachmentId>,
    },
    Edit {
        seq: Seq,
        /// May be empty; the message must have attachments then.
        body: Body,
    },
    DeleteMessage {
        seq: Seq,
    },
    React {
        seq: Seq,
        emoji: Emoji,
        on: bool,
    },
    Read {
        seq: Seq,
    },
}

impl Command {
    /// A message as a client says it.
    ///
    /// # Errors
    /// [`Refused::Invalid`], with the field.
    pub(crate) fn send(
        cid: &str,
        body: &str,
        reply_to: Option<Seq>,
        attachments: Vec<AttachmentId>,
    ) -> Result<Self, Refused> {
        let cid = ClientId::parse(cid).map_err(|why| why.refused("cid"))?;
        let body = if attachments.is_empty() { Body::parse(body) } else { Body::caption(body) };
        let body = body.map_err(|why| why.refused("body"))?;
        if attachments.len() > MOST_ATTACHMENTS {
            return Err(BadText("Attach at most 10 files to one message.").refused("attachments"));
        }
        let mut once = attachments.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() < attachments.len() {
            return Err(BadText("Attach each file once.").refused("attachments"));
        }
        Ok(Self::Send { cid, body, reply_to, attachments })
    }
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The message is in the log, by this command or by an earlier one with the same client id.
    Sent(Box<Message>),
    /// An event took this seq.
    Logged(Seq),
    /// The read mark has moved to here.
    Marked(Seq),
    /// It was so already, or it is nothing that the log holds.
    Done,
}
