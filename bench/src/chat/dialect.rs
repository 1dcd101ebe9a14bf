//! How one speaks to each peer: the handshake, coming into a room, and sending to it.

use std::net::SocketAddr;

/// The path and the frames of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Irongate,
    SocketIo,
    Channels,
}

/// What a new socket does after the handshake, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Waits for a frame that holds this.
    Expect(String),
    Say(String),
}

impl Dialect {
    /// The request that opens a WebSocket.
    pub(crate) fn handshake(self, address: SocketAddr, room: &str, token: &str) -> String {
        let path = match self {
            Self::Irongate => "/chat/ws".to_owned(),
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            Self::Channels => format!("/ws/{room}/"),
        };
        let own = match self {
            Self::Irongate => {
                format!("sec-websocket-protocol: chat.v1.json\r\nauthorization: Bearer {token}\r\n")
            }
            Self::SocketIo | Self::Channels => String::new(),
        };
        format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{own}\r\n"
        )
    }

    /// From the handshake into the room.
    pub(crate) fn come_in(self, room: &str) -> Vec<Step> {
        let (expect, say) = (|text: &str| Step::Expect(text.to_owned()), Step::Say);
        match self {
            Self::Irongate => vec![
                expect(r#""t":"hello""#),
                say(format!(r#"{{"t":"join","id":1,"room":"{room}"}}"#)),
                expect(r#""t":"ok""#),
            ],
            Self::SocketIo => vec![
                expect("0{"),
                say("40".to_owned()),
                expect("40{"),
                say(format!(r#"420["join","{room}"]"#)),
                expect("430["),
            ],
            Self::Channels => vec![expect(r#""t":"ok""#)],
        }
    }

    /// A message to the room.
    pub(crate) fn send(self, room: &str, cid: &str, body: &str) -> String {
        match self {
            Self::Irongate => format!(r#"{{"t":"send","room":"{room}","cid":"{cid}","body":"{body}"}}"#),
            Self::SocketIo => {
                format!(r#"42["send",{{"room":"{room}","cid":"{cid}","body":"{body}"}}]"#)
            }
            Self::Channels => format!(r#"{{"cid":"{cid}","body":"{body}"}}"#),
        }
    }

    /// The answer to a frame of the protocol that wants one.
    pub(crate) fn reply(self, text: &[u8]) -> Option<&'static [u8]> {
        // Engine.IO's own ping, beside WebSocket's.
        (self == Self::SocketIo && text == b"2").then_some(b"3")
    }
}
