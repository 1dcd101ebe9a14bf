//! The frames of `chat.v1.json` that concern one socket. Events of a room's log are in `room::event`.

use std::time::Duration;

use bytestring::ByteString;
use irongate_shared::id::UserId;
use serde::{Deserialize, Serialize};

use crate::{
    chat::Users,
    room::{AttachmentId, Message, Refused, Role, RoomId, Seq, Why, frame},
};

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Asked {
    /// Follow a room: from `after` on, or from now on.
    Join {
        room: RoomId,
        after: Option<Seq>,
    },
    /// Stop following; the membership stays.
    Leave {
        room: RoomId,
    },
    Send {
        room: RoomId,
        cid: String,
        #[serde(default)]
        body: String,
        reply_to: Option<Seq>,
        #[serde(default)]
        attachments: Vec<AttachmentId>,
    },
    Edit {
        room: RoomId,
        seq: Seq,
        body: String,
    },
    Del {
        room: RoomId,
        seq: Seq,
    },
    React {
        room: RoomId,
        seq: Seq,
        emoji: String,
        on: bool,
    },
    Read {
        room: RoomId,
        seq: Seq,
    },
    Typing {
        room: RoomId,
    },
    Hist {
        room: RoomId,
        before: Option<Seq>,
        after: Option<Seq>,
        limit: Option<i64>,
    },
    /// A renewed token for the open connection.
    Auth {
        token: String,
    },
    /// Nothing but a sign of life: a page's script can send no ping of WebSocket's own.
    Ping {},
}

/// A client's frame: what it asks, and the id that the answer carries.
pub(super) struct Request {
    pub id: Option<u32>,
    pub asked: Result<Asked, String>,
}

/// No JSON object with a `t`: the client speaks something else.
pub(super) struct NotAFrame;

impl Request {
    pub(super) fn parse(text: &str) -> Result<Self, NotAFrame> {
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|_| NotAFrame)?;
        let id = match object.remove("id") {
            None | Some(serde_json::Value::Null) => None,
            Some(id) => Some(id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(NotAFrame)?),
        };
        if !object.get("t").is_some_and(serde_json::Value::is_string) {
            return Err(NotAFrame);
        }
        let asked = serde_json::from_value(serde_json::Value::Object(object)).map_err(|why| why.to_string());
        Ok(Self { id, asked })
    }
}

/// Whatever is taken for a frame has a name of the protocol, and is the same frame with its keys in another order.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(request) = Request::parse(text) else { return };
    let Ok(asked) = request.asked else { return };
    let sorted: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    assert_eq!(sorted.get("t").and_then(serde_json::Value::as_str), Some(asked.name()));
    let again = Request::parse(&sorted.to_string()).ok().and_then(|again| again.asked.ok());
    assert_eq!(again.map(|again| format!("{again:?}")), Some(format!("{asked:?}")));
}

impl Asked {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Send { .. } => "send",
            Self::Edit { .. } => "edit",
            Self::Del { .. } => "del",
            Self::React { .. } => "react",
            Self::Read { .. } => "read",
            Self::Typing { .. } => "typing",
            Self::Hist { .. } => "hist",
            Self::Auth { .. } => "auth",
            Self::Ping {} => "ping",
        }
    }
}

/// The first frame of a connection.
#[derive(Serialize)]
#[serde(tag = "t", rename = "hello")]
pub(super) struct Hello<'a> {
    pub conn: &'a str,
    pub user: UserId,
    /// Milliseconds between signs of life.
    pub hb: u64,
    /// When the token runs out, in seconds since 1970.
    pub exp: i64,
    /// Bytes of the largest frame that is taken.
    pub max: usize,
    /// Which replica this is.
    pub srv: &'a str,
    pub v: u8,
    #[serde(skip_serializing_if = "Users::is_empty")]
    pub users: Users,
}

/// The answer to a request that was done.
#[derive(Default, Serialize)]
#[serde(tag = "t", rename = "ok")]
pub(super) struct Done {
    pub id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub you: Option<Role>,
    /// How many events follow that were missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<i64>,
    #[serde(skip_serializing_if = "Users::is_empty")]
    pub users: Users,
    /// Who follows the room now; empty also when they are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<Vec<UserId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
}

/// The answer to a request that was refused.
#[derive(Serialize)]
#[serde(tag = "t", rename = "err")]
struct Error<'a> {
    id: Option<u32>,
    code: &'a str,
    msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "left")]
struct Left {
    room: RoomId,
    why: Why,
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "reset")]
struct Reset {
    room: RoomId,
    last: Seq,
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "bye")]
struct Bye {
    why: &'static str,
    retry_ms: u64,
}

#[derive(Serialize)]
#[serde(tag = "t", rename = "hb")]
struct Heartbeat {}

pub(super) fn left(room: RoomId, why: Why) -> ByteString {
    frame(&Left { room, why })
}

pub(super) fn reset(room: RoomId, last: Seq) -> ByteString {
    frame(&Reset { room, last })
}

pub(super) fn bye(retry: Duration) -> ByteString {
    frame(&Bye { why: "drain", retry_ms: millis(retry) })
}

pub(super) fn heartbeat() -> ByteString {
    frame(&Heartbeat {})
}

pub(super) fn error(id: Option<u32>, code: &str, msg: impl Into<String>) -> ByteString {
    frame(&Error { id, code, msg: msg.into(), retry_ms: None })
}

pub(super) fn refusal(id: Option<u32>, why: &Refused) -> ByteString {
    let (code, retry) = match why {
        Refused::NoSuchRoom => ("no_such_room", None),
        Refused::NotAMember => ("not_a_member", None),
        Refused::Banned { .. } => ("banned", None),
        Refused::Muted { .. } => ("muted", None),
        Refused::NotAllowed(_) => ("not_allowed", None),
        Refused::NoSuchMessage => ("no_such_message", None),
        Refused::NoSuchMember => ("no_such_member", None),
        Refused::NoSuchUser => ("no_such_user", None),
        Refused::LastOwner => ("last_owner", None),
        Refused::Full => ("full", None),
        Refused::Invalid { .. } => ("invalid", None),
        Refused::TooFast { retry } => ("rate_limited", Some(*retry)),
        Refused::Overloaded => ("overloaded", Some(Duration::from_millis(500))),
        Refused::Unavailable(_) => ("unavailable", Some(Duration::from_secs(1))),
        Refused::Broken(why) => {
            tracing::error!(reason = why, "a request failed");
            ("internal", None)
        }
    };
    frame(&Error { id, code, msg: why.to_string(), retry_ms: retry.map(millis) })
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Request {
        Request::parse(text).unwrap_or_else(|NotAFrame| panic!("no frame: {text}"))
    }

    #[test]
    fn a_mistake_in_a_frame_is_told_under_its_id() {
        for (text, id) in [
            (r#"{"t":"dance","id":7}"#, Some(7)),
            (r#"{"t":"join","id":8,"room":"not an id"}"#, Some(8)),
            (r#"{"t":"leave","id":9}"#, Some(9)),
            (r#"{"t":"leave","room":"018f6b1e-5d3c-7cc1-8a31-3f5f0a9c0b7d","rooom":1}"#, None),
        ] {
            let request = parse(text);
            assert_eq!(request.id, id, "{text}");
            assert!(request.asked.is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_with_a_t_is_no_frame() {
        for text in ["", "[]", "hello", "{}", r#"{"t":1}"#, r#"{"t":"leave","id":-1}"#] {
            assert!(Request::parse(text).is_err(), "{text}");
        }
    }
}
