//! Where a body ends: by length, by chunks, or with the connection.
//!
//! SECURITY: chunked coding is read strictly (hexadecimal size of at most 16 digits, CRLF and nothing
//! else at line ends, bounded extensions and trailers), for a lenient reader in front of a strict
//! service is a smuggling tool.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};

/// How a message says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body.
    None,
    Length(u64),
    Chunked,
    /// Until the connection closes; answers only.
    Close,
}

/// Chunk extensions carry nothing for us; this is how many bytes of them we read past.
const CHUNK_LINE_MAX: usize = 256;
const TRAILERS_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBody {
    #[error("a chunk size is no hexadecimal number")]
    ChunkSize,
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    #[error("chunk extensions are longer than the limit")]
    ChunkLine,
    #[error("trailers are larger than the limit or malformed")]
    Trailers,
    #[error("the connection closed before the body ended")]
    Truncated,
}

/// What the bytes at hand gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// Nothing more without reading from the connection.
    More,
    Data(Bytes),
    End,
}

/// Takes body bytes out of a connection's input buffer and leaves what follows the body there.
#[derive(Debug)]
pub(crate) struct BodyDecoder(State);

#[derive(Debug)]
enum State {
    Done,
    Length(u64),
    Close,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers(usize),
}

impl BodyDecoder {
    pub(crate) fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::Close => State::Close,
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.0, State::Done)
    }

    /// Bytes still to come, where that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self.0 {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, BadBody> {
        loop {
            match &mut self.0 {
                State::Done => return Ok(Decoded::End),
                State::Length(left) => {
                    let Some(data) = take(input, *left) else { return Ok(Decoded::More) };
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.0 = State::Done;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::Close => {
                    return Ok(match take(input, u64::MAX) {
                        Some(data) => Decoded::Data(data),
                        None => Decoded::More,
                    });
                }
                State::ChunkSize => {
                    let Some(line) = take_line(input, CHUNK_LINE_MAX, BadBody::ChunkLine)? else {
                        return Ok(Decoded::More);
                    };
                    self.0 = match chunk_size(&line)? {
                        0 => State::Trailers(0),
                        size => State::ChunkData(size),
                    };
                }
                State::ChunkData(left) => {
                    let Some(data) = take(input, *left) else { return Ok(Decoded::More) };
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.0 = State::ChunkEnd;
                    }
                    return Ok(Decoded::Data(data));
                }
                State::ChunkEnd => match input.get(..2) {
                    Some(b"\r\n") => {
                        let _ = input.split_to(2);
                        self.0 = State::ChunkSize;
                    }
                    Some(_) => return Err(BadBody::ChunkEnd),
                    None if input.first().is_some_and(|byte| *byte != b'\r') => {
                        return Err(BadBody::ChunkEnd);
                    }
                    None => return Ok(Decoded::More),
                },
                State::Trailers(seen) => {
                    let room = TRAILERS_MAX.saturating_sub(*seen);
                    let Some(line) = take_line(input, room, BadBody::Trailers)? else {
                        return Ok(Decoded::More);
                    };
                    if line.is_empty() {
                        self.0 = State::Done;
                        return Ok(Decoded::End);
                    }
                    // SECURITY: trailers are read and dropped; a service never sees a field that
                    // was not checked with the head.
                    let name_end = memchr::memchr(b':', &line).ok_or(BadBody::Trailers)?;
                    if !super::is_token(line.get(..name_end).unwrap_or_default()) {
                        return Err(BadBody::Trailers);
                    }
                    *seen += line.len() + 2;
                }
            }
        }
    }

    /// The peer closed its side: the end of a close-delimited body, an error in every other.
    pub(crate) fn closed(&mut self) -> Result<(), BadBody> {
        match self.0 {
            State::Done | State::Close => {
                self.0 = State::Done;
                Ok(())
            }
            _ => Err(BadBody::Truncated),
        }
    }
}

/// Reads along where somebody else reads a body, and keeps what our own reading of it would refuse.
#[derive(Debug)]
pub(crate) struct BodyGuard {
    decoder: BodyDecoder,
    input: BytesMut,
    refused: Arc<OnceLock<BadBody>>,
}

impl BodyGuard {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { decoder: BodyDecoder::new(framing), input: BytesMut::new(), refused: Arc::default() }
    }

    /// Where it says what was wrong, to those who only see that reading ended.
    pub(crate) fn refused(&self) -> Arc<OnceLock<BadBody>> {
        self.refused.clone()
    }

    /// Takes the next bytes of the connection; what follows the body is no concern of it.
    pub(crate) fn advance(&mut self, data: &[u8]) -> Result<(), BadBody> {
        if self.decoder.is_done() {
            return Ok(());
        }
        self.input.extend_from_slice(data);
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Decoded::Data(_)) => {}
                Ok(Decoded::More) => return Ok(()),
                Ok(Decoded::End) => {
                    self.input = BytesMut::new();
                    return Ok(());
                }
                Err(bad) => {
                    let _ = self.refused.set(bad);
                    return Err(bad);
                }
            }
        }
    }
}

fn take(input: &mut BytesMut, at_most: u64) -> Option<Bytes> {
    let size = usize::try_from(at_most).unwrap_or(usize::MAX).min(input.len());
    (size > 0).then(|| input.split_to(size).freeze())
}

fn take_line(input: &mut BytesMut, limit: usize, too_long: BadBody) -> Result<Option<BytesMut>, BadBody> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        return if input.len() > limit { Err(too_long) } else { Ok(None) };
    };
    if end > limit {
        return Err(too_long);
    }
    let mut line = input.split_to(end + 1);
    let text_end = line.len() - 1;
    match text_end.checked_sub(1).and_then(|at| line.get(at)) {
        Some(b'\r') => line.truncate(text_end - 1),
        _ => return Err(BadBody::ChunkSize),
    }
    if !super::is_value(&line) {
        return Err(BadBody::ChunkSize);
    }
    Ok(Some(line))
}

fn chunk_size(line: &[u8]) -> Result<u64, BadBody> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    // RFC 9112 §7.1.1 allows whitespace before an extension only as a "bad" legacy; it is refused.
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BadBody::ChunkSize);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or(BadBody::ChunkSize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(framing: Framing, text: &[u8]) -> Result<(Vec<u8>, Vec<u8>), BadBody> {
        let mut decoder = BodyDecoder::new(framing);
        let mut input = BytesMut::from(text);
        let mut body = Vec::new();
        loop {
            match decoder.decode(&mut input)? {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::End => return Ok((body, input.to_vec())),
                Decoded::More => {
                    decoder.closed()?;
                    return Ok((body, Vec::new()));
                }
            }
        }
    }

    #[test]
    fn bodies_end_where_they_say_and_leave_the_rest() {
        assert_eq!(read_all(Framing::Length(3), b"abcdef"), Ok((b"abc".to_vec(), b"def".to_vec())));
        assert_eq!(read_all(Framing::None, b"next"), Ok((vec![], b"next".to_vec())));
        assert_eq!(read_all(Framing::Close, b"abc"), Ok((b"abc".to_vec(), vec![])));
        let chunked = b"3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\nnext";
        assert_eq!(read_all(Framing::Chunked, chunked), Ok((b"abc0123456789".to_vec(), b"next".to_vec())));
    }

    #[test]
    fn bad_chunks_are_refused_by_name() {
        let cases: [(&[u8], BadBody); 12] = [
            (b"x\r\n", BadBody::ChunkSize),
            (b"\r\n", BadBody::ChunkSize),
            (b"0x3\r\nabc\r\n", BadBody::ChunkSize),
            (b"-1\r\n", BadBody::ChunkSize),
            (b"3 \r\nabc\r\n", BadBody::ChunkSize),
            (b"3\nabc\r\n", BadBody::ChunkSize),
            (b"3\r\nabcd\r\n", BadBody::ChunkEnd),
            (b"3\r\nabc\n0\r\n\r\n", BadBody::ChunkEnd),
            (b"11111111111111111\r\n", BadBody::ChunkSize),
            (b"0\r\nbad trailer\r\n\r\n", BadBody::Trailers),
            (b"3\r\nab", BadBody::Truncated),
            (b"3;a\x00\r\nabc", BadBody::ChunkSize),
        ];
        for (text, cause) in cases {
            assert_eq!(read_all(Framing::Chunked, text), Err(cause), "{}", String::from_utf8_lossy(text));
        }
        let long = format!("3;{}\r\nabc\r\n", "x".repeat(300));
        assert_eq!(read_all(Framing::Chunked, long.as_bytes()), Err(BadBody::ChunkLine));
        assert_eq!(read_all(Framing::Length(3), b"ab"), Err(BadBody::Truncated));
    }

    #[test]
    fn a_guard_sees_what_the_decoder_sees_and_ignores_what_follows() {
        let whole = b"3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1 rubbish\x00";
        let mut guard = BodyGuard::new(Framing::Chunked);
        for piece in whole.chunks(2) {
            assert_eq!(guard.advance(piece), Ok(()));
        }
        let mut guard = BodyGuard::new(Framing::Chunked);
        assert_eq!(guard.advance(b"3\r\nab"), Ok(()));
        assert_eq!(guard.advance(b"cd\r\n"), Err(BadBody::ChunkEnd));
        assert_eq!(guard.refused().get(), Some(&BadBody::ChunkEnd));
    }

    proptest! {
        #[test]
        fn chunks_survive_any_cut(parts in proptest::collection::vec("[a-z]{1,20}", 0..6), cut in 1usize..7) {
            let mut text = Vec::new();
            for part in &parts {
                text.extend_from_slice(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes());
            }
            text.extend_from_slice(b"0\r\n\r\n");
            let mut decoder = BodyDecoder::new(Framing::Chunked);
            let (mut input, mut body, mut ended) = (BytesMut::new(), Vec::new(), false);
            for piece in text.chunks(cut) {
                input.extend_from_slice(piece);
                loop {
                    match decoder.decode(&mut input).unwrap() {
                        Decoded::Data(data) => body.extend_from_slice(&data),
                        Decoded::More => break,
                        Decoded::End => { ended = true; break }
                    }
                }
            }
            prop_assert!(ended);
            prop_assert_eq!(String::from_utf8(body).unwrap(), parts.concat());
        }
    }
}
