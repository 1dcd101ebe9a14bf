//! HTTP/1.1 as bytes: fields, request heads, response heads, body framing.
//!
//! Nothing here knows a socket or a route. Parsing a request is strict by construction: a message
//! that two implementations could read differently is an error with a name, never a guess
//! (request smuggling lives in such guesses). Answers of our own services get the lenient reading
//! where that is harmless and the strict one where framing is concerned.

pub(crate) mod body;
pub(crate) mod fields;
pub(crate) mod frames;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod text;

pub(crate) use body::{BodyDecoder, BodyGuard, Decoded, Framing};
pub(crate) use fields::{Fields, ReadyFields};
pub(crate) use request::{HeadLimits, Malformed, RequestHead};
pub(crate) use response::ResponseHead;

/// What each byte may be part of; a look-up, because every byte of every head passes here.
const TOKEN: u8 = 1;
const VALUE: u8 = 2;
const TARGET: u8 = 4;
const HOST: u8 = 8;
#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would say so")]
const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let is_mark = matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        );
        if byte.is_ascii_alphanumeric() || is_mark {
            bytes[at] |= TOKEN;
        }
        if matches!(byte, b'\t' | 0x20..=0x7e | 0x80..) {
            bytes[at] |= VALUE;
        }
        if matches!(byte, 0x21..=0x7e) && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\') {
            bytes[at] |= TARGET;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            bytes[at] |= HOST;
        }
        at += 1;
    }
    bytes
};

/// Without a branch per byte: hardly any head has one that is not as it must be.
fn are(bytes: &[u8], kind: u8) -> bool {
    bytes.iter().fold(kind, |kinds, byte| kinds & BYTES.get(usize::from(*byte)).copied().unwrap_or(0)) != 0
}

/// `token` of RFC 9110 §5.6.2: a method or a field name.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are(bytes, TOKEN)
}

/// `field-vchar`, space and tab of RFC 9110 §5.5: a field value.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    are(bytes, VALUE)
}

/// A name, or an IPv4 address, in an authority.
fn is_host(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are(bytes, HOST)
}

/// Visible ASCII without what URI grammar and browsers always escape.
fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are(bytes, TARGET)
}

/// Cuts optional whitespace (space and tab only) from both ends.
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A member of a list with its weight in thousandths: `gzip;q=0.5` (RFC 9110 §12.4.2).
pub(crate) fn weighted(member: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = member.split(|byte| *byte == b';').map(trim_ows);
    let name = parts.next()?;
    let mut weight = 1000;
    for part in parts {
        if let Some(q) = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")) {
            let q: f32 = std::str::from_utf8(q).ok()?.parse().ok()?;
            weight = (q.clamp(0.0, 1.0) * 1000.0) as u16;
        }
    }
    Some((name, weight))
}

/// The members of a comma-separated field value, without empty ones.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim_ows).filter(|member| !member.is_empty())
}
