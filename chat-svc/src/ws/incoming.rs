//! What a client says, put together from its frames.

use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use actix_web::{
    error::PayloadError,
    web::{Bytes, BytesMut},
};
use bytestring::ByteString;
use futures_util::StreamExt as _;
use tokio_util::codec::Decoder as _;

use super::{close::Close, guard::Guard};

/// A whole message, or a control frame.
pub(super) enum Said {
    Text(ByteString),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// Goodbye.
    Close,
}

/// A message of several frames, as far as it has come.
struct Pieces {
    is_text: bool,
    bytes: BytesMut,
}

/// The client's side of a WebSocket.
pub(super) struct Incoming {
    frames: Guard,
    codec: Codec,
    /// Holds nothing between messages: most sockets are idle most of the time.
    buffer: BytesMut,
    pieces: Option<Pieces>,
    /// Bytes of the largest message, in one frame or in several.
    largest: usize,
}

impl Incoming {
    pub(super) fn new(frames: Guard, largest: usize) -> Self {
        let codec = Codec::new().max_size(largest);
        Self { frames, codec, buffer: BytesMut::new(), pieces: None, largest }
    }

    /// The next message, or how its rules are broken; `None` when the connection has ended. Loses nothing when it is
    /// dropped while it waits.
    pub(super) async fn next(&mut self) -> Option<Result<Said, Close>> {
        loop {
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(frame)) => match self.take(frame) {
                    Ok(None) => {}
                    Ok(Some(said)) => return Some(Ok(said)),
                    Err(why) => return Some(Err(why)),
                },
                Ok(None) => {
                    if self.buffer.is_empty() {
                        // Its rest is a part of what was read for the connection, all of which it would keep.
                        self.buffer = BytesMut::new();
                    }
                    match self.frames.next().await {
                        Some(Ok(bytes)) if self.buffer.is_empty() => self.buffer = bytes.into(),
                        Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                        // The guard's words.
                        Some(Err(PayloadError::Overflow)) => return Some(Err(Close::TooBig)),
                        Some(Err(PayloadError::EncodingCorrupted)) => return Some(Err(Close::Protocol)),
                        Some(Err(_)) | None => return None,
                    }
                }
                Err(ProtocolError::Overflow) => return Some(Err(Close::TooBig)),
                Err(_) => return Some(Err(Close::Protocol)),
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<Option<Said>, Close> {
        let said = match frame {
            Frame::Text(bytes) => text(bytes)?,
            Frame::Binary(bytes) => Said::Binary(bytes),
            Frame::Ping(bytes) => Said::Ping(bytes),
            Frame::Pong(_) => Said::Pong,
            Frame::Close(_) => Said::Close,
            Frame::Continuation(item) => return self.piece(item),
        };
        Ok(Some(said))
    }

    /// The codec has seen to it that pieces begin, go on and end in order.
    fn piece(&mut self, item: Item) -> Result<Option<Said>, Close> {
        let (is_text, is_last, bytes) = match item {
            Item::FirstText(bytes) => (true, false, bytes),
            Item::FirstBinary(bytes) | Item::Continue(bytes) => (false, false, bytes),
            Item::Last(bytes) => (false, true, bytes),
        };
        let pieces = self.pieces.get_or_insert_with(|| Pieces { is_text, bytes: BytesMut::new() });
        if pieces.bytes.len() + bytes.len() > self.largest {
            return Err(Close::TooBig);
        }
        pieces.bytes.extend_from_slice(&bytes);
        if !is_last {
            return Ok(None);
        }
        let Some(Pieces { is_text, bytes }) = self.pieces.take() else { return Ok(None) };
        let whole = bytes.freeze();
        if is_text { text(whole).map(Some) } else { Ok(Some(Said::Binary(whole))) }
    }
}

fn text(bytes: Bytes) -> Result<Said, Close> {
    ByteString::try_from(bytes).map(Said::Text).map_err(|_| Close::NotUtf8)
}
