//! WebSocket frames (RFC 6455 §5.2), just enough to count what a server sends and to send what a client may.

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// The first whole frame in `bytes`: its opcode, its payload, and its length on the wire.
///
/// Fragments count as frames of their own: no peer of ours sends any.
pub(crate) fn first(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (head, rest) = (*bytes.first()?, bytes.get(2..)?);
    let (length, skipped) = match *bytes.get(1)? & 0x7f {
        126 => (usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let payload = bytes.get(skipped..skipped + length)?;
    Some((head & 0x0f, payload, skipped + length))
}

/// Appends a client's frame. Its mask is zero, which is a mask, and spares the generator the work.
pub(crate) fn append(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match u16::try_from(payload.len()) {
        Ok(short @ ..=125) => out.push(0x80 | u8::try_from(short).unwrap_or(0)),
        Ok(wide) => {
            out.push(0x80 | 126);
            out.extend(wide.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend(u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_only_when_it_is_whole() {
        for length in [0usize, 5, 125, 126, 300, 65_535, 65_536] {
            let mut frame = vec![0x81];
            match length {
                0..=125 => frame.push(u8::try_from(length).unwrap()),
                126..=65_535 => {
                    frame.push(126);
                    frame.extend(u16::try_from(length).unwrap().to_be_bytes());
                }
                _ => {
                    frame.push(127);
                    frame.extend((length as u64).to_be_bytes());
                }
            }
            frame.extend(std::iter::repeat_n(b'x', length));

            assert_eq!(first(&frame[..frame.len() - 1]), None);
            let whole = frame.len();
            frame.push(0x81);
            let (opcode, payload, taken) = first(&frame).unwrap();
            assert_eq!((opcode, payload.len(), taken), (TEXT, length, whole));
        }
    }

    #[test]
    fn a_clients_frame_is_masked() {
        for length in [0usize, 125, 126, 70_000] {
            let mut out = Vec::new();

            append(&mut out, TEXT, &vec![b'x'; length]);

            let mask_at = match length {
                0..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
            assert_eq!((out[0], out[1] & 0x80), (0x81, 0x80));
            assert_eq!(out.len(), mask_at + 4 + length);
        }
    }
}
