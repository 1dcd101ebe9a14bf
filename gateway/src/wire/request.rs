//! The strict reading of a request head.
//!
//! SECURITY: request smuggling. Whatever RFC 9112 lets a recipient repair, we refuse: bare LF, obs-fold,
//! space before the colon, two lengths, any transfer coding but a single `chunked`, none or two `Host`s.
//! Each refusal has its own variant, so that logs and tests name the exact cause.

use http::Method;

use super::{BodyDecoder, Fields, Framing, is_host, is_token, is_value, trim_ows};

/// How large a head may be.
#[derive(Clone, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
    pub(crate) target: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
    Http2,
}

impl Version {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
            Version::Http2 => "HTTP/2",
        }
    }
}

/// One request's head, whichever protocol it came by.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// Path and query in origin form, as sent; `*` for `OPTIONS *`.
    pub(crate) target: String,
    /// Host and port the client asked for; empty only for HTTP/1.0 without `Host`.
    pub(crate) authority: String,
    pub(crate) version: Version,
    pub(crate) fields: Fields,
    pub(crate) framing: Framing,
    /// A WebSocket asked for by extended CONNECT (RFC 8441); the method then stands as the GET that it means.
    pub(crate) extended_connect: bool,
}

impl RequestHead {
    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        let end = memchr::memchr(b'?', self.target.as_bytes()).unwrap_or(self.target.len());
        self.target.get(..end).unwrap_or_default()
    }

    pub(crate) fn decoder(&self) -> BodyDecoder {
        BodyDecoder::new(self.framing)
    }

    /// Whether the client lets the connection stay open after this request.
    pub(crate) fn keep_alive(&self) -> bool {
        match self.version {
            Version::Http2 => true,
            Version::Http11 => !self.connection_has("close"),
            Version::Http10 => self.connection_has("keep-alive"),
        }
    }

    pub(crate) fn connection_has(&self, token: &str) -> bool {
        self.fields
            .all("connection")
            .flat_map(super::list)
            .any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Safe to send twice (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
        )
    }
}

/// Why a request head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a line ends in LF without CR")]
    BareLineFeed,
    #[error("a CR stands without LF")]
    BareCarriageReturn,
    #[error("the request line is not `method target version`")]
    RequestLine,
    #[error("the method is no token")]
    Method,
    #[error("the target holds a byte that a URI may not hold")]
    TargetBytes,
    #[error("the target has a form that fits neither the method nor a server")]
    TargetForm,
    #[error("the target is longer than the limit")]
    TargetTooLong,
    #[error("the protocol version is not HTTP/1.0 or HTTP/1.1")]
    Version,
    #[error("a header line is folded over two lines")]
    Folded,
    #[error("a header name is empty, holds a forbidden byte or is followed by a space")]
    FieldName,
    #[error("a header value holds a control byte")]
    FieldValue,
    #[error("the header section is larger than the limit")]
    HeadTooLarge,
    #[error("there are more header fields than the limit")]
    TooManyFields,
    #[error("there is no Host field")]
    NoHost,
    #[error("more than one Host field")]
    TwoHosts,
    #[error("the Host field names no host")]
    BadHost,
    #[error("more than one Content-Length")]
    TwoLengths,
    #[error("Content-Length is not a number")]
    BadLength,
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndCoding,
    #[error("Transfer-Encoding in HTTP/1.0")]
    CodingInHttp10,
    #[error("Transfer-Encoding is not exactly one `chunked`")]
    BadCoding,
    #[error("a transfer coding that is not implemented")]
    UnknownCoding,
    #[error("a protocol in extended CONNECT that is not `websocket`")]
    UnknownProtocol,
    #[error("connection-specific field in HTTP/2")]
    ConnectionField,
}

/// Reads one head from the start of `buffer`, and says how many bytes it took; `None` asks for more.
pub(crate) fn parse(buffer: &[u8], limits: &HeadLimits) -> Result<Option<(RequestHead, usize)>, Malformed> {
    // RFC 9112 §2.2: one empty line before a request is ignored (old clients send it after a body).
    let skipped = if buffer.starts_with(b"\r\n") { 2 } else { 0 };
    let text = buffer.get(skipped..).unwrap_or_default();

    let mut lines = Lines { text, at: 0 };
    let Some(first) = lines.next_line()? else {
        return match limits {
            _ if text.len() > limits.target + 64 => Err(Malformed::TargetTooLong),
            _ => Ok(None),
        };
    };
    let (method, target, version) = request_line(first, limits)?;

    let mut fields = Fields::with_capacity(512, 16);
    loop {
        let Some(line) = lines.next_line()? else {
            return if text.len() > limits.bytes { Err(Malformed::HeadTooLarge) } else { Ok(None) };
        };
        if line.is_empty() {
            break;
        }
        if lines.at > limits.bytes {
            return Err(Malformed::HeadTooLarge);
        }
        if fields.len() >= limits.fields {
            return Err(Malformed::TooManyFields);
        }
        let (name, value) = field_line(line)?;
        fields.push(name, value);
    }

    let (target, asked_authority) = split_target(&method, target)?;
    let authority = match (asked_authority, host(&fields, version)?) {
        // RFC 9112 §3.2.2: an absolute target overrides Host.
        (Some(asked), _) => asked,
        (None, host) => host,
    };
    let framing = framing(&fields, version)?;
    let head = RequestHead { method, target, authority, version, fields, framing, extended_connect: false };
    Ok(Some((head, skipped + lines.at)))
}

/// Lines that end in CRLF, and nothing else that looks like a line end.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Lines<'t> {
    fn next_line(&mut self) -> Result<Option<&'t [u8]>, Malformed> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else { return Ok(None) };
        match rest.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {
                self.at += end + 2;
                Ok(rest.get(..end))
            }
            [b'\r'] => Ok(None),
            [b'\r', ..] => Err(Malformed::BareCarriageReturn),
            _ => Err(Malformed::BareLineFeed),
        }
    }
}

fn request_line<'l>(line: &'l [u8], limits: &HeadLimits) -> Result<(Method, &'l str, Version), Malformed> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed::RequestLine);
    };
    if method.len() > 32 || !is_token(method) {
        return Err(Malformed::Method);
    }
    let method = Method::from_bytes(method).map_err(|_| Malformed::Method)?;
    if target.len() > limits.target {
        return Err(Malformed::TargetTooLong);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        other if other.starts_with(b"HTTP/") && other.len() == 8 => return Err(Malformed::Version),
        _ => return Err(Malformed::RequestLine),
    };
    Ok((method, target_text(target)?, version))
}

/// What may stand in a target: visible ASCII without what URI grammar and browsers always escape.
/// A fragment mark or a backslash here means a client and a service could read two paths.
pub(crate) fn target_text(target: &[u8]) -> Result<&str, Malformed> {
    if !super::is_target(target) {
        return Err(Malformed::TargetBytes);
    }
    std::str::from_utf8(target).map_err(|_| Malformed::TargetBytes)
}

fn field_line(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Malformed::Folded);
    }
    let colon = memchr::memchr(b':', line).ok_or(Malformed::FieldName)?;
    let (name, rest) = line.split_at(colon);
    if !is_token(name) {
        return Err(Malformed::FieldName);
    }
    let value = trim_ows(rest.get(1..).unwrap_or_default());
    if !is_value(value) {
        return Err(Malformed::FieldValue);
    }
    Ok((name, value))
}

/// Target in origin form, and the authority when the target was absolute.
fn split_target(method: &Method, target: &str) -> Result<(String, Option<String>), Malformed> {
    if target.starts_with('/') {
        return Ok((target.to_owned(), None));
    }
    if target == "*" && *method == Method::OPTIONS {
        return Ok((target.to_owned(), None));
    }
    let scheme_end = target.find("://").ok_or(Malformed::TargetForm)?;
    let (scheme, rest) = (target.get(..scheme_end).unwrap_or(""), target.get(scheme_end + 3..).unwrap_or(""));
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Malformed::TargetForm);
    }
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let path = match path.chars().next() {
        Some('/') => path.to_owned(),
        Some(_) => format!("/{path}"),
        None => "/".to_owned(),
    };
    Ok((path, Some(valid_authority(authority)?)))
}

fn host(fields: &Fields, version: Version) -> Result<String, Malformed> {
    let mut hosts = fields.all("host");
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(Malformed::TwoHosts),
        (None, _) if version == Version::Http11 => Err(Malformed::NoHost),
        (None, _) => Ok(String::new()),
        (Some(host), None) => valid_authority(std::str::from_utf8(host).map_err(|_| Malformed::BadHost)?),
    }
}

/// A host with an optional port: no user, no path, no list, no spaces.
pub(crate) fn valid_authority(authority: &str) -> Result<String, Malformed> {
    let (host, port) = split_port(authority);
    let port_is_number = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let host_is_valid = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => literal.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.len() <= 255 && is_host(host.as_bytes()),
    };
    if host_is_valid && port_is_number { Ok(authority.to_ascii_lowercase()) } else { Err(Malformed::BadHost) }
}

/// Splits `host:port`; the colons inside an IPv6 literal are not port marks.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let literal = authority.starts_with('[').then(|| authority.rfind(']')).flatten();
    let after_literal = literal.map_or(0, |at| at + 1);
    match authority.get(after_literal..).and_then(|rest| memchr::memchr(b':', rest.as_bytes())) {
        Some(colon) => {
            let (host, port) = authority.split_at(after_literal + colon);
            (host, port.get(1..))
        }
        None => (authority, None),
    }
}

/// RFC 9112 §6.3, without its repairs.
fn framing(fields: &Fields, version: Version) -> Result<Framing, Malformed> {
    let mut lengths = fields.all("content-length");
    let length = match (lengths.next(), lengths.next()) {
        (Some(_), Some(_)) => return Err(Malformed::TwoLengths),
        (Some(length), None) => Some(content_length(length)?),
        (None, _) => None,
    };
    let mut codings = fields.all("transfer-encoding");
    let Some(coding) = codings.next() else {
        return Ok(length.map_or(Framing::None, Framing::Length));
    };
    if version == Version::Http10 {
        return Err(Malformed::CodingInHttp10);
    }
    if length.is_some() {
        // RFC 9112 §6.3: both lengths present means an attack, not a mistake.
        return Err(Malformed::LengthAndCoding);
    }
    if codings.next().is_some() {
        return Err(Malformed::BadCoding);
    }
    if coding.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let all_known_names = super::list(coding).all(|one| {
        ["chunked", "gzip", "deflate", "compress", "x-gzip", "x-compress"]
            .iter()
            .any(|known| one.eq_ignore_ascii_case(known.as_bytes()))
    });
    let chunked_count = super::list(coding).filter(|one| one.eq_ignore_ascii_case(b"chunked")).count();
    // A well-formed list that we do not implement is 501; everything else tries to be `chunked` for one
    // reader and not for the next.
    let is_real_list = chunked_count == 1 && super::list(coding).count() > 1;
    if all_known_names && (is_real_list || chunked_count == 0) {
        Err(Malformed::UnknownCoding)
    } else {
        Err(Malformed::BadCoding)
    }
}

pub(crate) fn content_length(value: &[u8]) -> Result<u64, Malformed> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::BadLength);
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Malformed::BadLength)
}

#[cfg(test)]
mod tests;
