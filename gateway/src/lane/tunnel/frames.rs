//! Where one WebSocket frame ends and the next begins (RFC 6455 §5.2): a Close of ours may only go between
//! two frames of the service.

/// Follows a stream of frames without looking at what they carry.
#[derive(Debug, Default)]
pub(super) struct FrameTracker {
    /// Payload bytes of the current frame still to come.
    left: u64,
    /// Header bytes of a frame whose header is not complete.
    header: Vec<u8>,
}

impl FrameTracker {
    /// Takes the next bytes of the stream.
    pub(super) fn advance(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.left > 0 {
                let step = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len());
                self.left -= step as u64;
                data = data.get(step..).unwrap_or_default();
                continue;
            }
            let (byte, rest) = data.split_first().map_or((0, data), |(byte, rest)| (*byte, rest));
            data = rest;
            self.header.push(byte);
            if let Some(payload) = complete(&self.header) {
                self.left = payload;
                self.header.clear();
            }
        }
    }

    /// Between two frames.
    pub(super) fn at_boundary(&self) -> bool {
        self.left == 0 && self.header.is_empty()
    }
}

/// The payload length, once all header bytes (mask included) are there.
fn complete(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if header.len() < 2 + extended + mask {
        return None;
    }
    Some(match extended {
        0 => u64::from(second & 0x7f),
        _ => header.iter().skip(2).take(extended).fold(0, |length, byte| (length << 8) | u64::from(*byte)),
    })
}

/// Where frames begin and end does not hang on how the stream is cut.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    let Some((cut, stream)) = data.split_first() else { return };
    let (mut whole, mut cut_up) = (FrameTracker::default(), FrameTracker::default());
    whole.advance(stream);
    for piece in stream.chunks(usize::from(*cut) + 1) {
        cut_up.advance(piece);
    }
    assert_eq!((whole.left, &whole.header), (cut_up.left, &cut_up.header));
    // 2 bytes, 8 of length, 4 of mask, and the last of them completes it.
    assert!(whole.header.len() < 14);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x81];
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.resize(frame.len() + length + if masked { 4 } else { 0 }, 0xff);
        frame
    }

    proptest! {
        #[test]
        fn boundaries_are_found_however_the_stream_is_cut(
            lengths in proptest::collection::vec((0usize..70_000, any::<bool>()), 1..4),
            cut in 1usize..5000,
        ) {
            let mut tracker = FrameTracker::default();
            for (length, masked) in lengths {
                let frame = frame(length, masked);
                prop_assert!(tracker.at_boundary());
                tracker.advance(&frame[..1]);
                prop_assert!(!tracker.at_boundary());
                for piece in frame[1..].chunks(cut) {
                    prop_assert!(!tracker.at_boundary());
                    tracker.advance(piece);
                }
                prop_assert!(tracker.at_boundary());
            }
        }
    }
}
