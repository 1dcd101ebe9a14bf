//! One request and its answer, whichever protocol carries them.
//!
//! Route, guard and lanes are written once against these types. The edge makes an [`Exchange`] for each
//! request; [`Downstream`] hides whether the answer goes out as HTTP/1.1 text or HTTP/2 frames.

pub(crate) mod gather;
pub(crate) mod h1;
pub(crate) mod h2;
mod h2_session;
pub(crate) mod read_ahead;
pub(crate) mod socket;

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;
use irongate_shared::traces::Context;
use pingora::protocols::{Stream, http::ServerSession};

use crate::{
    fault::{ClientFault, Fault},
    wire::{Fields, ReadyFields, RequestHead, body::BadBody, list, request::split_port, weighted},
};

/// What is true for every request of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    /// The peer's address, as logs and services see it.
    pub(crate) peer_text: String,
    pub(crate) tls: Option<TlsSession>,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, tls: Option<TlsSession>) -> Self {
        Self { peer, peer_text: peer.ip().to_canonical().to_string(), tls }
    }
}

/// What the handshake settled.
#[derive(Debug, Default)]
pub(crate) struct TlsSession {
    pub(crate) version: &'static str,
    pub(crate) resumed: bool,
    /// Subject of the client's certificate, where one was asked for and verified.
    pub(crate) client_subject: Option<String>,
}

/// Who asks, after configured proxies in between were looked through.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// `http` or `https` as the client typed it.
    pub(crate) scheme: &'static str,
    /// `X-Forwarded-For` of trusted proxies, to be carried on.
    pub(crate) forwarded_for: Option<String>,
    /// Host and port, where a proxy in between was asked for others than it asks for.
    pub(crate) authority: Option<String>,
}

/// A request on its way through the rooms.
pub(crate) struct Request {
    pub(crate) head: RequestHead,
    /// The path decoded and normalised, for matching; what is sent on is `head.target`.
    pub(crate) path: String,
    pub(crate) id: String,
    /// W3C Trace Context, as it goes on; made when a service is asked, where none came along.
    pub(crate) traceparent: OnceLock<String>,
    /// Its span and the one above it, when traces are told.
    pub(crate) trace: Option<Box<Traced>>,
    pub(crate) client: Client,
    pub(crate) connection: Arc<Connection>,
    pub(crate) arrived: Instant,
    /// The verified caller, where the route asked for one.
    pub(crate) subject: Option<Subject>,
}

/// Where a request stands in its trace.
#[derive(Clone, Copy)]
pub(crate) struct Traced {
    pub(crate) context: Context,
    /// The span that the client is in.
    pub(crate) parent: Option<u64>,
}

/// A caller whose access token was verified.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    /// The user, or the client id of a service.
    pub(crate) id: String,
    /// Services have none.
    pub(crate) session: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) scopes: Vec<String>,
}

impl Request {
    pub(crate) fn raw_path(&self) -> &str {
        self.head.path()
    }

    /// Host and port that the client asked for.
    pub(crate) fn authority(&self) -> &str {
        self.client.authority.as_deref().unwrap_or(&self.head.authority)
    }

    /// The host that the client asked for, for routes to go by.
    pub(crate) fn host(&self) -> &str {
        // A name from the root on is the same name.
        split_port(self.authority()).0.trim_end_matches('.')
    }

    /// The client's address as text.
    pub(crate) fn client_text(&self) -> Cow<'_, str> {
        if self.client.address == self.connection.peer.ip().to_canonical() {
            Cow::Borrowed(&self.connection.peer_text)
        } else {
            Cow::Owned(self.client.address.to_string())
        }
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.head.target.split_once('?').map(|(_, query)| query)
    }

    /// Whether a person looks at the answer, as with a browser's navigation: pages are asked for by name, and liked no
    /// less than documents for programs.
    pub(crate) fn wants_html(&self) -> bool {
        wants_html(&self.head.fields)
    }
}

fn wants_html(fields: &Fields) -> bool {
    let weight = |kind: &str| {
        let mut asked = fields.all("accept").flat_map(list).filter_map(weighted);
        asked.find(|(name, _)| name.eq_ignore_ascii_case(kind.as_bytes())).map(|(_, weight)| weight)
    };
    let rivals = ["application/problem+json", "application/json"];
    weight("text/html").is_some_and(|html| {
        html > 0 && rivals.iter().all(|kind| weight(kind).is_none_or(|other| other <= html))
    })
}

/// What the access log and the metrics are told about one exchange.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) status: u16,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) upstream: Option<Arc<str>>,
    pub(crate) server: Option<Arc<str>>,
    pub(crate) attempts: u32,
    /// Each of them, when traces are told.
    pub(crate) tries: Vec<Try>,
    pub(crate) connect: Option<Duration>,
    /// From sending the request to the first byte of the service's answer.
    pub(crate) waited: Option<Duration>,
    /// From the request's arrival to the head of the answer.
    pub(crate) answered: Option<Duration>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) fault: Option<Fault>,
}

/// One attempt to have a request answered by a server.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) server: Arc<str>,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// The status it answered with, or the word for what went wrong.
    pub(crate) outcome: Result<u16, &'static str>,
}

pub(crate) struct Exchange<'c> {
    pub(crate) request: Request,
    pub(crate) downstream: Downstream<'c>,
    pub(crate) record: Record,
    /// Fields that guards want on the answer, whoever gives it (CORS, rate limits).
    pub(crate) added: Fields,
    /// What the route sets on answers; refusals of the gateway go without.
    pub(crate) response_headers: Vec<(String, String)>,
}

/// How long the body of an answer is, as far as known when its head goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// No body at all (204, 304, an upgrade).
    None,
    Known(u64),
    Unknown,
}

/// A request body under way: how much came, and by when more must come.
///
/// SECURITY: slowloris with bodies. A deadline between two reads alone lets a byte every few seconds hold a
/// request for ever; so the whole must also keep a pace that no real client falls behind.
#[derive(Debug)]
pub(crate) struct BodyPace {
    pub(crate) read: u64,
    pub(crate) limit: u64,
    began: Option<Instant>,
}

/// Bytes per second.
const BODY_PACE: u64 = 1024;

impl BodyPace {
    pub(crate) fn new() -> Self {
        Self { read: 0, limit: u64::MAX, began: None }
    }

    /// How long the next piece may take.
    pub(crate) fn patience(&mut self, between_reads: Duration) -> Duration {
        let began = *self.began.get_or_insert_with(Instant::now);
        let whole = between_reads + Duration::from_secs(self.read / BODY_PACE);
        between_reads.min(whole.saturating_sub(began.elapsed()))
    }

    pub(crate) fn came(&mut self, bytes: usize) -> Result<(), Fault> {
        self.read += bytes as u64;
        if self.read > self.limit {
            return Err(ClientFault::BodyTooLarge { limit: self.limit }.into());
        }
        Ok(())
    }
}

/// The side towards the client.
pub(crate) enum Downstream<'c> {
    Http1(&'c mut h1::Http1),
    Http2(&'c mut h2::Http2),
}

impl Downstream<'_> {
    /// The next piece of the request body, `None` at its end.
    pub(crate) async fn read_body(&mut self) -> Result<Option<Bytes>, Fault> {
        match self {
            Downstream::Http1(h1) => h1.read_body().await,
            Downstream::Http2(h2) => h2.read_body().await,
        }
    }

    pub(crate) fn limit_body(&mut self, bytes: u64) {
        match self {
            Downstream::Http1(h1) => h1.limit_body(bytes),
            Downstream::Http2(h2) => h2.limit_body(bytes),
        }
    }

    pub(crate) fn write_head(
        &mut self,
        status: StatusCode,
        fields: Fields,
        size: BodySize,
    ) -> Result<(), Fault> {
        match self {
            Downstream::Http1(h1) => {
                h1.write_head(status, &fields, size);
                Ok(())
            }
            Downstream::Http2(h2) => h2.write_head(status, fields, size),
        }
    }

    pub(crate) fn write_ready_head(
        &mut self,
        status: StatusCode,
        ready: &ReadyFields,
        more: Fields,
        size: BodySize,
    ) -> Result<(), Fault> {
        match self {
            Downstream::Http1(h1) => {
                h1.write_head_text(status, [ready.fields().as_wire(), more.as_wire()], size);
                Ok(())
            }
            Downstream::Http2(h2) => h2.write_ready_head(status, ready, more, size),
        }
    }

    pub(crate) async fn write_body(&mut self, data: Bytes) -> Result<(), Fault> {
        match self {
            Downstream::Http1(h1) => h1.write_body(&data).await,
            Downstream::Http2(h2) => h2.write_body(data).await,
        }
    }

    /// Puts a small piece of the body behind the head; `false` when it has to be written.
    fn buffer_body(&mut self, data: &[u8]) -> bool {
        match self {
            Downstream::Http1(h1) => h1.buffer_body(data),
            Downstream::Http2(_) => false,
        }
    }

    /// Sends what is buffered: between the pieces of a stream that has more to come later.
    pub(crate) async fn flush(&mut self) -> Result<(), Fault> {
        match self {
            Downstream::Http1(h1) => h1.flush().await,
            Downstream::Http2(_) => Ok(()),
        }
    }

    /// The answer is complete.
    pub(crate) async fn finish(&mut self) -> Result<(), Fault> {
        match self {
            Downstream::Http1(h1) => h1.finish().await,
            Downstream::Http2(h2) => h2.finish().await,
        }
    }

    /// The answer cannot be completed: makes sure the client sees it cut, not ended.
    pub(crate) fn abort(&mut self) {
        match self {
            Downstream::Http1(h1) => h1.abort(),
            Downstream::Http2(h2) => h2.abort(),
        }
    }

    pub(crate) fn head_written(&self) -> bool {
        match self {
            Downstream::Http1(h1) => h1.head_written(),
            Downstream::Http2(h2) => h2.head_written(),
        }
    }

    /// Tells a client that waits to hear it to send the body.
    pub(crate) async fn invite_body(&mut self) -> Result<(), Fault> {
        match self {
            Downstream::Http1(h1) => h1.invite_body().await,
            Downstream::Http2(_) => Ok(()),
        }
    }

    /// Lends the connection to Pingora as a session at the start of this very request. What comes with it says later
    /// what was wrong with the body, if anything.
    pub(crate) fn take_session(
        &mut self,
        head: &RequestHead,
    ) -> Result<(ServerSession, Arc<OnceLock<BadBody>>), ClientFault> {
        match self {
            Downstream::Http1(h1) => h1.take_session(head).map_err(ClientFault::BadBody),
            Downstream::Http2(h2) => Ok((h2.take_session(head).ok_or(ClientFault::Gone)?, Arc::default())),
        }
    }

    /// The request was answered by Pingora; what is left of an HTTP/1.1 connection comes back, if it is usable.
    pub(crate) fn give_back(&mut self, stream: Option<Stream>) {
        if let Downstream::Http1(h1) = self {
            h1.give_back(stream);
        }
    }

    /// No request may follow on this connection.
    pub(crate) fn close_after(&mut self) {
        if let Downstream::Http1(h1) = self {
            h1.close_after();
        }
    }

    /// Resolves when the client closes or resets; used while a service thinks.
    pub(crate) async fn gone(&mut self) {
        match self {
            Downstream::Http1(h1) => h1.gone().await,
            Downstream::Http2(h2) => h2.gone().await,
        }
    }
}

impl Exchange<'_> {
    /// Writes a head; every answer of the gateway passes here, so that status, guards' fields and
    /// the request id are never forgotten.
    pub(crate) fn start(
        &mut self,
        status: StatusCode,
        mut fields: Fields,
        size: BodySize,
    ) -> Result<(), Fault> {
        if !self.response_headers.is_empty() {
            fields = fields.with(&self.response_headers);
        }
        self.complete(status, &mut fields);
        self.downstream.write_head(status, fields, size)
    }

    /// As [`Exchange::start`], with fields that stand ready.
    pub(crate) fn start_ready(
        &mut self,
        status: StatusCode,
        ready: &ReadyFields,
        size: BodySize,
    ) -> Result<(), Fault> {
        if !self.response_headers.is_empty() {
            return self.start(status, ready.fields().copied(), size);
        }
        let mut more = Fields::with_capacity(256, 6);
        self.complete(status, &mut more);
        self.downstream.write_ready_head(status, ready, more, size)
    }

    fn complete(&mut self, status: StatusCode, fields: &mut Fields) {
        self.record.status = status.as_u16();
        self.record.answered = Some(self.request.arrived.elapsed());
        for (name, value) in self.added.iter() {
            fields.push(name, value);
        }
        fields.push("x-request-id", &self.request.id);
    }

    /// Remembers an attempt that is over.
    pub(crate) fn tried(&mut self, server: &Arc<str>, began: Instant, outcome: Result<u16, &'static str>) {
        if self.request.trace.is_some() {
            let ended = Instant::now();
            self.record.tries.push(Try { server: server.clone(), began, ended, outcome });
        }
    }

    pub(crate) async fn body(&mut self, data: Bytes) -> Result<(), Fault> {
        self.record.bytes_out += data.len() as u64;
        self.downstream.write_body(data).await
    }

    /// A whole answer at once.
    pub(crate) async fn respond(
        &mut self,
        status: StatusCode,
        fields: Fields,
        body: Bytes,
    ) -> Result<(), Fault> {
        let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let size = if bodiless { BodySize::None } else { BodySize::Known(body.len() as u64) };
        self.start(status, fields, size)?;
        if !body.is_empty() && self.request.head.method != http::Method::HEAD {
            self.record.bytes_out += body.len() as u64;
            if !self.downstream.buffer_body(&body) {
                Box::pin(self.downstream.write_body(body)).await?;
            }
        }
        self.downstream.finish().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_for_those_who_ask_for_them() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("application/json, text/html", true),
            ("application/json, text/html;q=0.5", false),
            ("text/html;q=0.5, application/problem+json", false),
            ("text/html;q=0", false),
            ("*/*", false),
            ("application/json", false),
            ("text/htmlish", false),
            ("", false),
        ] {
            let mut fields = Fields::default();
            fields.push("accept", accept);
            assert_eq!(wants_html(&fields), page, "{accept}");
        }
        assert!(!wants_html(&Fields::default()));
    }
}
