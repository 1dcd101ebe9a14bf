//! Which fields pass between client and service, and which the gateway sets.

use std::borrow::Cow;

use base64::Engine as _;
use uuid::Uuid;

use crate::{
    config::words,
    exchange::{Exchange, Request},
    route::Route,
    wire::{Fields, Framing, list, text::push_number},
};

/// What may be asked of a service. CONNECT is for proxies that go anywhere, TRACE shows a page its own cookies.
pub(crate) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// RFC 9110 §7.6.1: these are about one connection and never pass.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
];

/// SECURITY: what only the gateway may say to a service. A client's own copies are dropped, whatever it
/// is allowed to do otherwise.
const OURS: [&str; 11] = [
    "host",
    "content-length",
    "expect",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "x-request-id",
    "traceparent",
];

/// Prefix of the fields that carry the verified caller.
const IDENTITY: &str = "x-auth-";

/// Whether a request's field is the gateway's alone to set. `Host` is not among them: a route may name another one.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    let exception = is_one_of(name, &["host", "x-real-ip"]);
    !exception && (is_one_of(name, &OURS) || is_one_of(name, &HOP_BY_HOP) || starts_with(name, IDENTITY))
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
}

fn starts_with(name: &[u8], prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Whether `Connection` names this field as one that goes no further.
fn is_nominated(fields: &Fields, name: &[u8]) -> bool {
    fields.all("connection").flat_map(list).any(|member| member.eq_ignore_ascii_case(name))
}

/// The request as it goes to a service.
pub(super) fn request_head(exchange: &Exchange<'_>, route: &Route, framing: Framing) -> Vec<u8> {
    let request = &exchange.request;
    let mut text = begin(request, route);
    match framing {
        Framing::None => {
            // RFC 9110 §8.6: a method that usually has a body says when it has none.
            if matches!(request.head.method, http::Method::POST | http::Method::PUT | http::Method::PATCH) {
                text.extend_from_slice(b"content-length: 0\r\n");
            }
        }
        Framing::Length(length) => {
            text.extend_from_slice(b"content-length: ");
            push_number(&mut text, length);
            text.extend_from_slice(b"\r\n");
        }
        Framing::Chunked | Framing::Close => text.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// A WebSocket handshake as it goes to a service.
pub(crate) fn upgrade_head(request: &Request, route: &Route) -> Vec<u8> {
    let mut text = begin(request, route);
    if request.head.extended_connect && !request.head.fields.has("sec-websocket-key") {
        // RFC 8441 §5 has none; RFC 6455 §4.1 wants 16 random bytes, against caches and not against people.
        let key = base64::engine::general_purpose::STANDARD.encode(fastrand::u128(..).to_be_bytes());
        text.extend_from_slice(format!("sec-websocket-key: {key}\r\n").as_bytes());
    }
    text.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    text
}

fn begin(request: &Request, route: &Route) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(request.head.method.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(route.target_for(request).as_bytes());
    text.extend_from_slice(b" HTTP/1.1\r\n");
    text.extend_from_slice(to_service(request, route).as_wire());
    text
}

/// The fields of a request as they go to a service, whichever lane takes them there; framing is the lane's.
pub(crate) fn to_service(request: &Request, route: &Route) -> Fields {
    let fields = &request.head.fields;
    let set = &route.request_headers;
    let mut passed = Fields::with_capacity(fields.as_wire().len() + 512, fields.len() + 10 + set.len());
    if !set.iter().any(|(name, _)| name == "host") {
        passed.push("host", &request.head.authority);
    }
    for (name, text) in set.iter().filter(|(_, text)| !text.is_empty()) {
        passed.push_cleaned(name, &filled_in(text, request));
    }
    let nominates = fields.has("connection");
    for (name, value) in fields.iter() {
        let dropped = is_one_of(name, &HOP_BY_HOP)
            || is_one_of(name, &OURS)
            || starts_with(name, IDENTITY)
            // SECURITY: `X_Forwarded_For` is `X-Forwarded-For` to many a framework.
            || name.contains(&b'_')
            || set.iter().any(|(own, _)| name.eq_ignore_ascii_case(own.as_bytes()))
            || (nominates && is_nominated(fields, name));
        if !dropped {
            passed.push(name, value);
        }
    }
    let client = &request.client;
    let client_text = request.client_text();
    match &client.forwarded_for {
        Some(earlier) => {
            passed.push_cleaned("x-forwarded-for", &format!("{earlier}, {}", request.connection.peer.ip()));
        }
        None => passed.push("x-forwarded-for", &*client_text),
    }
    passed.push("x-forwarded-proto", client.scheme);
    passed.push("x-forwarded-host", request.authority());
    passed.push("forwarded", forwarded(&client_text, client.scheme, request.authority()));
    passed.push("x-request-id", &request.id);
    passed.push("traceparent", request.traceparent.get_or_init(new_traceparent));
    if let Some(subject) = request.connection.tls.as_ref().and_then(|tls| tls.client_subject.as_deref()) {
        passed.push_cleaned("x-auth-certificate", subject);
    }
    if let Some(subject) = &request.subject {
        passed.push("x-auth-subject", &subject.id);
        if let Some(session) = &subject.session {
            passed.push("x-auth-session", session);
        }
        passed.push("x-auth-roles", subject.roles.join(" "));
        passed.push_cleaned("x-auth-scopes", &subject.scopes.join(" "));
    }
    passed
}

/// A text of `request_headers` for this request.
fn filled_in<'t>(text: &'t str, request: &Request) -> Cow<'t, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let [client, host, scheme] = words::PLACES;
    let filled = text
        .replace(client, &request.client_text())
        .replace(host, request.authority())
        .replace(scheme, request.client.scheme);
    Cow::Owned(filled)
}

/// The start of a trace (W3C Trace Context §3.2).
fn new_traceparent() -> String {
    let mut text = String::with_capacity(55);
    let mut hex = [0; 32];
    text.push_str("00-");
    text.push_str(Uuid::from_u128(fastrand::u128(1..)).simple().encode_lower(&mut hex));
    text.push('-');
    let span = Uuid::from_u64_pair(fastrand::u64(1..), 0).simple().encode_lower(&mut hex);
    text.push_str(span.get(..16).unwrap_or_default());
    text.push_str("-01");
    text
}

/// RFC 7239.
fn forwarded(client: &str, scheme: &str, host: &str) -> String {
    let (before, after) = if client.contains(':') { ("for=\"[", "]\"") } else { ("for=", "") };
    [before, client, after, ";host=\"", host, "\";proto=", scheme].concat()
}

/// The service's fields as they go to the client.
pub(crate) fn answer_fields(fields: &Fields, route: &[(String, String)]) -> Fields {
    let nominates = fields.has("connection");
    let mut passed = Fields::with_capacity(fields.as_wire().len() + 256, fields.len() + 4);
    for (name, value) in fields.iter() {
        let dropped = is_one_of(name, &HOP_BY_HOP)
            || is_one_of(name, &["content-length", "date", "server", "x-powered-by", "x-request-id"])
            || route.iter().any(|(own, _)| name.eq_ignore_ascii_case(own.as_bytes()))
            || (nominates && is_nominated(fields, name));
        if !dropped {
            passed.push(name, value);
        }
    }
    for (name, value) in route.iter().filter(|(_, value)| !value.is_empty()) {
        passed.push(name, value);
    }
    passed
}

#[cfg(test)]
mod tests {
    use irongate_shared::traces::Context;

    use super::*;

    #[test]
    fn new_traces_are_well_formed_and_never_the_same() {
        assert!(Context::parse(&new_traceparent()).is_some());
        assert_ne!(new_traceparent(), new_traceparent());
    }
}
