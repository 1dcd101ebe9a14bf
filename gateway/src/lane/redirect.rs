//! Answers that send the client elsewhere.

use bytes::Bytes;
use http::StatusCode;

use crate::{
    exchange::{Exchange, Request},
    fault::{ClientFault, Fault},
    wire::{Fields, Malformed, request::split_port},
};

/// From the plain listener to the same address under HTTPS; 308 keeps method and body. `port` is what stands behind the
/// host.
pub(crate) async fn to_https(exchange: &mut Exchange<'_>, port: &str) -> Result<(), Fault> {
    let host = split_port(&exchange.request.head.authority).0;
    if host.is_empty() {
        // HTTP/1.0 may leave it out, and then there is nowhere to go.
        return Err(ClientFault::Malformed(Malformed::NoHost).into());
    }
    // With a line end behind it, it is the body as well.
    let location = ["https://", host, port, &exchange.request.head.target, "\n"].concat();
    answer(exchange, StatusCode::PERMANENT_REDIRECT, location).await
}

/// What a route says; `{path}` and `{query}` stand for the request's own.
pub(crate) async fn to_configured(
    exchange: &mut Exchange<'_>,
    to: &str,
    status: StatusCode,
) -> Result<(), Fault> {
    let mut location = filled_in(to, &exchange.request);
    location.push('\n');
    answer(exchange, status, location).await
}

fn filled_in(to: &str, request: &Request) -> String {
    let path = match request.raw_path() {
        // SECURITY: open redirect. `//evil.example` after a host-less template would name a host.
        path if path.starts_with("//") => format!("/{}", path.trim_start_matches('/')),
        path => path.to_owned(),
    };
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    to.replace("{path}", &path).replace("{query}", &query)
}

/// `line` is where to, and a line end.
async fn answer(exchange: &mut Exchange<'_>, status: StatusCode, line: String) -> Result<(), Fault> {
    let mut fields = Fields::with_capacity(line.len() + 256, 8);
    fields.push_cleaned("location", line.trim_end_matches('\n'));
    fields.push("content-type", "text/plain; charset=utf-8");
    exchange.respond(status, fields, Bytes::from(line)).await
}
