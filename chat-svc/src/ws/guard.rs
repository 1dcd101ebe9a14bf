//! Refuses WebSocket frames by their declared length, before anything buffers them.
//!
//! actix-ws looks at a frame's size only when all of it has arrived: a client that declares a gigabyte makes it keep
//! a gigabyte. This stream reads the frame headers as they pass (RFC 6455 §5.2) and ends with
//! [`PayloadError::Overflow`] at the first that declares too much.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    dev::Payload,
    error::PayloadError,
    web::{self, Bytes},
};
use futures_util::Stream;

/// The client's bytes, as long as no frame among them declares more than `most`.
pub(super) struct Guard {
    inner: Rest,
    headers: Headers,
}

/// What the client still sends after the guard or the protocol has given up on it.
#[derive(Clone)]
pub(super) struct Rest(Rc<RefCell<web::Payload>>);

impl Rest {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }

    /// Throws it away, to its end. A socket that is closed with bytes unread is reset, and the reset may overtake our
    /// close frame (RFC 1122 §4.2.2.13).
    pub(super) async fn discard(self) {
        while let Some(Ok(_)) = poll_fn(|cx| self.poll(cx)).await {}
    }
}

impl Guard {
    pub(super) fn new(inner: web::Payload, most: usize) -> Self {
        Self { inner: Rest(Rc::new(RefCell::new(inner))), headers: Headers::new(most) }
    }

    pub(super) fn rest(&self) -> Rest {
        self.inner.clone()
    }

    pub(super) fn into_payload(self) -> Payload {
        Payload::Stream { payload: Box::pin(self) }
    }
}

impl Stream for Guard {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.inner.poll(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                let checked = self.headers.pass(&bytes).map(|()| bytes);
                Poll::Ready(Some(checked.map_err(|TooLong| PayloadError::Overflow)))
            }
            other => other,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct TooLong;

/// Follows the frames in a stream of bytes, however it is cut.
struct Headers {
    most: u64,
    /// Bytes of the current frame's payload still to pass.
    payload: u64,
    /// The part of a header seen so far: at most 2 bytes, 8 of length, 4 of mask.
    header: [u8; 14],
    seen: usize,
}

impl Headers {
    fn new(most: usize) -> Self {
        Self { most: u64::try_from(most).unwrap_or(u64::MAX), payload: 0, header: [0; 14], seen: 0 }
    }

    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        loop {
            let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.payload -= u64::try_from(skipped).unwrap_or(0);
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            if let Some(place) = self.header.get_mut(self.seen) {
                *place = *byte;
            }
            self.seen += 1;
            if let Some((header, length)) = self.complete() {
                if length > self.most {
                    return Err(TooLong);
                }
                if self.seen == header {
                    self.payload = length;
                    self.seen = 0;
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

        assert_eq!(headers.pass(&declared), Err(TooLong));
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
            prop_assert_eq!(headers.pass(&frame(65_537, true)[..10]), Err(TooLong));
        }
    }
}
