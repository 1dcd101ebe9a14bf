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

pub(crate) use body::{BodyDecoder, Decoded, Framing};
pub(crate) use fields::Fields;
pub(crate) use request::{HeadLimits, Malformed, RequestHead};
pub(crate) use response::ResponseHead;

/// `tchar` of RFC 9110 §5.6.2: what a method or a field name may consist of.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `field-vchar`, space and tab of RFC 9110 §5.5: what a field value may consist of.
pub(crate) fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)
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

/// The members of a comma-separated field value, without empty ones.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim_ows).filter(|member| !member.is_empty())
}
