//! The reading of a service's answer.
//!
//! Our own services speak to us here, so small sins are forgiven (bare LF is not among them, since
//! it never is sent); but where the body ends must be beyond doubt, or the next answer on the
//! connection could be given to another client.

use http::{Method, StatusCode};

use super::{Fields, Framing, is_token, is_value, trim_ows};

const MAX_HEAD: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) fields: Fields,
    /// HTTP/1.1 and no `Connection: close`.
    pub(crate) keep_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAnswer {
    #[error("the status line is malformed")]
    StatusLine,
    #[error("a header line is malformed")]
    Field,
    #[error("the header section is too large")]
    TooLarge,
    #[error("the answer says in two ways where its body ends")]
    Framing,
}

/// Reads one head from the start of `buffer`; `None` asks for more bytes.
pub(crate) fn parse(buffer: &[u8]) -> Result<Option<(ResponseHead, usize)>, BadAnswer> {
    let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") else {
        return if buffer.len() > MAX_HEAD { Err(BadAnswer::TooLarge) } else { Ok(None) };
    };
    let head = buffer.get(..end).unwrap_or_default();
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let (status, is_11) = status_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields::with_capacity(head.len() + 128, 16);
    for line in lines {
        let colon = memchr::memchr(b':', line).ok_or(BadAnswer::Field)?;
        let (name, rest) = line.split_at(colon);
        let value = trim_ows(rest.get(1..).unwrap_or_default());
        if !is_token(name) || !is_value(value) {
            return Err(BadAnswer::Field);
        }
        fields.push(name, value);
    }
    let closes = fields.all("connection").flat_map(super::list).any(|one| one.eq_ignore_ascii_case(b"close"));
    Ok(Some((ResponseHead { status, fields, keep_alive: is_11 && !closes }, end + 4)))
}

fn status_line(line: &[u8]) -> Result<(StatusCode, bool), BadAnswer> {
    let is_11 = match line.get(..9) {
        Some(b"HTTP/1.1 ") => true,
        Some(b"HTTP/1.0 ") => false,
        _ => return Err(BadAnswer::StatusLine),
    };
    let digits = line.get(9..12).ok_or(BadAnswer::StatusLine)?;
    if line.get(12).is_some_and(|byte| *byte != b' ') {
        return Err(BadAnswer::StatusLine);
    }
    StatusCode::from_bytes(digits).map(|status| (status, is_11)).map_err(|_| BadAnswer::StatusLine)
}

impl ResponseHead {
    /// RFC 9112 §6.3 for answers to `method`.
    pub(crate) fn framing(&self, method: &Method) -> Result<Framing, BadAnswer> {
        let bodiless = self.status.is_informational()
            || self.status == StatusCode::NO_CONTENT
            || self.status == StatusCode::NOT_MODIFIED;
        let length = self.content_length()?;
        if *method == Method::HEAD || bodiless {
            return Ok(Framing::None);
        }
        let mut codings = self.fields.all("transfer-encoding");
        match (codings.next(), codings.next(), length) {
            (None, _, Some(length)) => Ok(Framing::Length(length)),
            (None, _, None) => Ok(Framing::Close),
            (Some(coding), None, None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            // SECURITY: response splitting through a confused service.
            _ => Err(BadAnswer::Framing),
        }
    }

    /// What `Content-Length` says, also where no body follows (HEAD).
    pub(crate) fn content_length(&self) -> Result<Option<u64>, BadAnswer> {
        let mut lengths = self.fields.all("content-length");
        match (lengths.next(), lengths.next()) {
            (Some(_), Some(_)) => Err(BadAnswer::Framing),
            (Some(length), None) => {
                super::request::content_length(length).map(Some).map_err(|_| BadAnswer::Framing)
            }
            (None, _) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_framed_or_refused() {
        let framing = |text: &str, method: Method| {
            let text = format!("{text}\r\n\r\n");
            parse(text.as_bytes()).unwrap().unwrap().0.framing(&method)
        };
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5", Method::GET), Ok(Framing::Length(5)));
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-Length: 5", Method::HEAD), Ok(Framing::None));
        assert_eq!(framing("HTTP/1.1 200\r\nTransfer-Encoding: chunked", Method::GET), Ok(Framing::Chunked));
        assert_eq!(framing("HTTP/1.0 200 OK", Method::GET), Ok(Framing::Close));
        assert_eq!(framing("HTTP/1.1 304 Not Modified\r\nContent-Length: 5", Method::GET), Ok(Framing::None));
        for bad in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
            "HTTP/1.1 200 OK\r\nContent-Length: five",
        ] {
            assert_eq!(framing(bad, Method::GET), Err(BadAnswer::Framing), "{bad}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
        assert_eq!(parse(b"HTP/1.1 200 OK\r\n\r\n").unwrap_err(), BadAnswer::StatusLine);
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nnocolon\r\n\r\n").unwrap_err(), BadAnswer::Field);
    }
}
