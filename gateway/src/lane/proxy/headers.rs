//! Which fields pass between client and service, and which the gateway sets.

use std::net::IpAddr;

use crate::{
    exchange::{Exchange, Request},
    route::Route,
    wire::{Fields, Framing, list},
};

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
            text.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        Framing::Chunked | Framing::Close => text.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// A WebSocket handshake as it goes to a service.
pub(crate) fn upgrade_head(request: &Request, route: &Route) -> Vec<u8> {
    let mut text = begin(request, route);
    text.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    text
}

fn begin(request: &Request, route: &Route) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    text.extend_from_slice(request.head.method.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(route.target_for(request).as_bytes());
    text.extend_from_slice(b" HTTP/1.1\r\n");
    push(&mut text, "host", request.head.authority.as_bytes());
    let fields = &request.head.fields;
    let nominates = fields.has("connection");
    for (name, value) in fields.iter() {
        let dropped = is_one_of(name, &HOP_BY_HOP)
            || is_one_of(name, &OURS)
            || starts_with(name, IDENTITY)
            // SECURITY: `X_Forwarded_For` is `X-Forwarded-For` to many a framework.
            || name.contains(&b'_')
            || (nominates && is_nominated(fields, name));
        if !dropped {
            text.extend_from_slice(name);
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
    }
    let client = &request.client;
    let address = client.address.to_string();
    match &client.forwarded_for {
        Some(earlier) => push(
            &mut text,
            "x-forwarded-for",
            format!("{earlier}, {}", request.connection.peer.ip()).as_bytes(),
        ),
        None => push(&mut text, "x-forwarded-for", address.as_bytes()),
    }
    push(&mut text, "x-forwarded-proto", client.scheme.as_bytes());
    push(&mut text, "x-forwarded-host", request.head.authority.as_bytes());
    push(
        &mut text,
        "forwarded",
        forwarded(client.address, client.scheme, &request.head.authority).as_bytes(),
    );
    push(&mut text, "x-request-id", request.id.as_bytes());
    push(&mut text, "traceparent", request.traceparent.as_bytes());
    if let Some(subject) = request.connection.tls.as_ref().and_then(|tls| tls.client_subject.as_deref()) {
        let printable: String = subject.chars().filter(|c| !c.is_control()).collect();
        push(&mut text, "x-auth-certificate", printable.as_bytes());
    }
    if let Some(subject) = &request.subject {
        push(&mut text, "x-auth-subject", subject.id.as_bytes());
        push(&mut text, "x-auth-session", subject.session.as_bytes());
        push(&mut text, "x-auth-roles", subject.roles.join(" ").as_bytes());
    }
    text
}

fn push(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// RFC 7239.
fn forwarded(client: IpAddr, scheme: &str, host: &str) -> String {
    match client {
        IpAddr::V4(v4) => format!("for={v4};host=\"{host}\";proto={scheme}"),
        IpAddr::V6(v6) => format!("for=\"[{v6}]\";host=\"{host}\";proto={scheme}"),
    }
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
    for (name, value) in route {
        passed.push(name, value);
    }
    passed
}
