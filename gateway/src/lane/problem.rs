//! What a client reads when the gateway itself says no: a problem document (RFC 9457), or a page when a
//! person looks at it. Always with the request id, never with anything internal.

use bytes::Bytes;
use http::StatusCode;

use crate::{
    exchange::{Exchange, Request},
    fault::{ClientFault, Fault},
    wire::Fields,
};

const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// Answers with `fault`, or cuts the answer that is under way.
pub(crate) async fn answer(exchange: &mut Exchange<'_>, fault: &Fault) {
    if exchange.downstream.head_written() {
        // Too late for a status: the client must at least see that the answer is incomplete.
        exchange.downstream.abort();
        return;
    }
    if fault.closes_connection() {
        exchange.downstream.close_after();
    }
    exchange.response_headers.clear();
    let status = fault.status();
    let (fields, body) = document(fault, &Asked::by(&exchange.request));
    // A client that left does not read why.
    if exchange.respond(status, fields, body).await.is_err() {
        exchange.downstream.abort();
    }
    exchange.record.status = status.as_u16();
}

/// What is known of the request that met the fault.
pub(crate) struct Asked<'r> {
    pub(crate) id: &'r str,
    /// Absent when the head could not be read.
    pub(crate) path: Option<&'r str>,
    /// Whether a person looks at the answer.
    pub(crate) wants_html: bool,
}

impl<'r> Asked<'r> {
    pub(crate) fn by(request: &'r Request) -> Self {
        Self { id: &request.id, path: Some(request.raw_path()), wants_html: request.wants_html() }
    }

    /// A request whose head could not be read.
    pub(crate) fn unreadably(id: &'r str) -> Self {
        Self { id, path: None, wants_html: false }
    }
}

/// Head fields and body for `fault`.
pub(crate) fn document(fault: &Fault, asked: &Asked<'_>) -> (Fields, Bytes) {
    let status = fault.status();
    let mut fields = Fields::default();
    fields.push("cache-control", "no-store");
    fields.push("x-content-type-options", "nosniff");
    fields.push("vary", "Accept");
    if let Some(wait) = fault.retry_after() {
        fields.push("retry-after", wait.as_millis().div_ceil(1000).max(1).to_string());
    }
    match fault {
        Fault::Client(ClientFault::MethodNotAllowed { allow }) => fields.push("allow", allow),
        Fault::Client(ClientFault::NoSuchRange { length }) => {
            fields.push("content-range", format!("bytes */{length}"));
        }
        Fault::Client(ClientFault::NoToken) => fields.push("www-authenticate", r#"Bearer realm="irongate""#),
        Fault::Client(ClientFault::BadToken(_)) => {
            fields.push("www-authenticate", r#"Bearer realm="irongate", error="invalid_token""#);
        }
        Fault::Client(ClientFault::LacksRight(_)) => {
            fields.push("www-authenticate", r#"Bearer realm="irongate", error="insufficient_scope""#);
        }
        Fault::Client(ClientFault::LacksScope(scopes)) => {
            fields.push_cleaned(
                "www-authenticate",
                &format!(r#"Bearer realm="irongate", error="insufficient_scope", scope="{scopes}""#),
            );
        }
        Fault::Client(_) | Fault::Upstream(_) | Fault::Ourselves(_) => {}
    }
    let title = status.canonical_reason().unwrap_or("Error");
    if asked.wants_html {
        fields.push("content-type", "text/html; charset=utf-8");
        fields.push("content-security-policy", PAGE_POLICY);
        return (fields, page(status, title, &fault.detail(), asked.id).into());
    }
    fields.push("content-type", "application/problem+json");
    let document = irongate_shared::problem::Document {
        kind: format!("urn:irongate:problem:{}", fault.name()),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: Some(fault.detail()),
        instance: asked.path.map(str::to_owned),
        request_id: Some(asked.id.to_owned()),
        errors: std::collections::BTreeMap::new(),
    };
    (fields, serde_json::to_vec(&document).unwrap_or_default().into())
}

fn page(status: StatusCode, title: &str, detail: &str, id: &str) -> String {
    let (title, detail, id) = (escaped(title), escaped(detail), escaped(id));
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{status} {title}</title>\n\
         <style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;\
         padding:0 1.5rem}}h1{{font-size:1.4rem;margin:0 0 .5rem}}p{{margin:.4rem 0}}small{{opacity:.6}}\
         b{{font-size:3rem;display:block;line-height:1.1}}</style>\n\
         <h1><b>{status}</b>{title}</h1>\n<p>{detail}</p>\n<p><a href=\"/\">To the start page</a></p>\n\
         <p><small>Request {id}</small></p>\n</html>\n",
        status = status.as_u16()
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
