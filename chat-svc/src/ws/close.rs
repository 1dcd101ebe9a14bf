//! Why a WebSocket is closed, and what the client should do about it.

use actix_http::ws::{CloseCode, CloseReason};

/// Each reason with its code (RFC 6455 §7.4; 4000 to 4999 are ours).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// The client said goodbye.
    Normal,
    /// It broke the WebSocket protocol.
    Protocol,
    NotUtf8,
    TooBig,
    /// A bug of ours; resume.
    Internal,
    /// This replica stops; resume elsewhere.
    Drain,
    /// It sent what is no frame of this protocol; stop.
    BadFrame,
    /// The token ran out and was not renewed; refresh it and come back.
    Expired,
    /// The session was ended; stop.
    Revoked,
    /// It did not answer pings; come back.
    Silent,
    /// It sends more than is allowed, and goes on; come back later.
    Flood,
    /// It reads too slowly; come back and resume.
    Slow,
}

impl Close {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::Protocol => 1002,
            Self::NotUtf8 => 1007,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::Drain => 1012,
            Self::BadFrame => 4400,
            Self::Expired => 4401,
            Self::Revoked => 4403,
            Self::Silent => 4408,
            Self::Flood => 4429,
            Self::Slow => 4508,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Normal => "goodbye",
            Self::Protocol => "protocol error",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooBig => "message too big",
            Self::Internal => "internal error",
            Self::Drain => "this replica stops",
            Self::BadFrame => "not a frame of chat.v1.json",
            Self::Expired => "token expired",
            Self::Revoked => "session ended",
            Self::Silent => "no sign of life",
            Self::Flood => "too many frames",
            Self::Slow => "reading too slowly",
        }
    }

    pub(super) fn reason(self) -> CloseReason {
        CloseReason { code: CloseCode::from(self.code()), description: Some(self.words().to_owned()) }
    }
}
