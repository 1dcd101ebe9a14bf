//! Refuses WebSocket frames by their declared length, before anything buffers them.
//!
//! actix's codec looks at a frame's size only when all of it has arrived: a client that declares a gigabyte makes it
//! keep a gigabyte. This stream reads the frame headers as they pass (RFC 6455 §5.2) and ends with
//! [`PayloadError::Overflow`] at the first that declares too much, and at one that uses an extension.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    error::PayloadError,
    web::{self, Bytes},
};
use futures_util::Stream;

/// The client's bytes, as long as no frame among them declares more than `most`.
pub(super) struct Guard(Rest);

/// What the client still sends after the guard or the protocol has given up on it.
#[derive(Clone)]
pub(super) struct Rest(Rc<RefCell<Client>>);

struct Client {
    payload: web::Payload,
    headers: Headers,
}

impl Rest {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        let Client { payload, headers } = &mut *self.0.borrow_mut();
        match Pin::new(payload).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                let checked = headers.pass(&bytes).map(|()| bytes);
                Poll::Ready(Some(checked.map_err(PayloadError::from)))
            }
            other => other,
        }
    }

    /// Throws it away, to the client's close frame or its end. A socket that is closed with bytes unread is reset, and
    /// the reset may overtake our close frame (RFC 1122 §4.2.2.13). After its close frame the client sends nothing and
    /// waits for us to end the connection (RFC 6455 §7.1.1): a page hears of the close only then.
    pub(super) async fn discard(self) {
        while !self.0.borrow().headers.closed {
            match poll_fn(|cx| self.poll(cx)).await {
                Some(Ok(_) | Err(PayloadError::Overflow | PayloadError::EncodingCorrupted)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}

impl Guard {
    pub(super) fn new(payload: web::Payload, most: usize) -> Self {
        Self(Rest(Rc::new(RefCell::new(Client { payload, headers: Headers::new(most) }))))
    }

    pub(super) fn rest(&self) -> Rest {
        self.0.clone()
    }
}

impl Stream for Guard {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll(cx)
    }
}

/// Why a frame is refused by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    TooLong,
    /// Bits that belong to extensions, none of which is offered: actix's codec has no word of its own for them.
    Reserved,
}

impl From<Refused> for PayloadError {
    fn from(why: Refused) -> Self {
        match why {
            Refused::TooLong => Self::Overflow,
            Refused::Reserved => Self::EncodingCorrupted,
        }
    }
}

const RESERVED: u8 = 0b0111_0000;

/// RFC 6455 §5.2: the opcode of a close frame.
const CLOSE: u8 = 8;

/// Follows the frames in a stream of bytes, however it is cut.
struct Headers {
    most: u64,
    /// Bytes of the current frame's payload still to pass.
    payload: u64,
    /// The part of a header seen so far: at most 2 bytes, 8 of length, 4 of mask.
    header: [u8; 14],
    seen: usize,
    /// The frame under way is a close frame.
    closing: bool,
    /// A close frame has passed.
    closed: bool,
    /// A frame was refused; what is a header after it cannot be known.
    refused: Option<Refused>,
}

impl Headers {
    fn new(most: usize) -> Self {
        Self {
            most: u64::try_from(most).unwrap_or(u64::MAX),
            payload: 0,
            header: [0; 14],
            seen: 0,
            closing: false,
            closed: false,
            refused: None,
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if self.refused.is_none() {
            self.refused = self.follow(bytes).err();
        }
        self.refused.map_or(Ok(()), Err)
    }

    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Refused> {
        loop {
            let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.payload -= u64::try_from(skipped).unwrap_or(0);
            self.closed |= self.closing && self.payload == 0;
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            if let Some(place) = self.header.get_mut(self.seen) {
                *place = *byte;
            }
            self.seen += 1;
            if self.seen == 1 && byte & RESERVED != 0 {
                return Err(Refused::Reserved);
            }
            if let Some((header, length)) = self.complete() {
                if length > self.most {
                    return Err(Refused::TooLong);
                }
                if self.seen == header {
                    self.payload = length;
                    self.seen = 0;
                    self.closing = self.header.first().is_some_and(|first| first & 0x0f == CLOSE);
                    self.closed |= self.closing && length == 0;
                }
            }
        }
    }

    /// The header's size and the declared length, once enough of it was seen to know the length.
    fn complete(&self) -> Option<(usize, u64)> {
        let [_, second, rest @ ..] = &self.header;
        if self.seen < 2 {
            return None;
        }
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let wide = match second & 0x7f {
            126 => 2,
            127 => 8,
            short => return Some((2 + mask, u64::from(short))),
        };
        if self.seen < 2 + wide {
            return None;
        }
        let length = rest.iter().take(wide).fold(0, |length, byte| (length << 8) | u64::from(*byte));
        Some((2 + wide + mask, length))
    }
}

/// What is refused does not hang on how the stream is cut, and nothing that passes was declared too long.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let (mut whole, mut cut_up) = (Headers::new(1_000), Headers::new(1_000));
    let outcome = whole.pass(stream);
    for piece in stream.chunks(usize::from(*cut) + 1) {
        let _ = cut_up.pass(piece);
    }
    assert_eq!(outcome, cut_up.pass(&[]));
    assert!(whole.payload <= whole.most && whole.seen < whole.header.len());
    if outcome.is_ok() {
        assert_eq!(
            (whole.payload, whole.seen, whole.closed, whole.header),
            (cut_up.payload, cut_up.seen, cut_up.closed, cut_up.header)
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x81];
        match length {
            0..=125 => frame.push(mask | u8::try_from(length).unwrap()),
            126..=65535 => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            frame.extend([1, 2, 3, 4]);
        }
        // Bytes that look like a header which declares too much.
        frame.extend(std::iter::repeat_n(0xff, length));
        frame
    }

    #[test]
    fn a_gigabyte_is_refused_by_its_header_alone() {
        let mut headers = Headers::new(65_536);
        let mut declared = vec![0x82, 0xff];
        declared.extend((1u64 << 30).to_be_bytes());

        assert_eq!(headers.pass(&declared), Err(Refused::TooLong));
        // What follows it is the rest of the gigabyte, whatever it looks like.
        assert_eq!(headers.pass(&[0x88, 0x80, 1, 2, 3, 4]), Err(Refused::TooLong));
        assert!(!headers.closed);
    }

    #[test]
    fn a_close_frame_is_seen_once_all_of_it_has_passed() {
        for close in [&[0x88, 0x82, 1, 2, 3, 4, 5, 6][..], &[0x88, 0x80, 1, 2, 3, 4], &[0x88, 0x00]] {
            let mut headers = Headers::new(65_536);
            let mut bytes = frame(300, true);
            bytes.extend(close);
            let (last, before) = bytes.split_last().unwrap();

            assert_eq!(headers.pass(before), Ok(()));
            assert!(!headers.closed, "{close:?}");
            assert_eq!(headers.pass(&[*last]), Ok(()));

            assert!(headers.closed, "{close:?}");
        }
    }

    #[test]
    fn bits_of_extensions_are_refused() {
        assert_eq!(Headers::new(65_536).pass(&[0xc1, 0x80]), Err(Refused::Reserved));
    }

    proptest! {
        #[test]
        fn frames_up_to_the_limit_pass_however_they_are_cut(
            lengths in prop::collection::vec((prop_oneof![0usize..300, 65_000usize..=65_536], any::<bool>()), 1..6),
            cut in 1usize..5000,
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|(length, masked)| frame(*length, *masked)).collect();
            let mut headers = Headers::new(65_536);

            for piece in bytes.chunks(cut) {
                prop_assert_eq!(headers.pass(piece), Ok(()));
            }
            prop_assert_eq!(headers.pass(&frame(65_537, true)[..10]), Err(Refused::TooLong));
        }
    }
}
