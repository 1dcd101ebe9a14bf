//! The full lane: Pingora's `HttpProxy`, for services that speak TLS or HTTP/2 (gRPC among them), where both sides
//! stream at once.
//!
//! Who is asked and which fields pass is decided by the same code as on the lean lane; Pingora carries it out.
//! The border: the connection, with the request's head in front of it again, becomes a Pingora session; what
//! is left of it afterwards comes back and goes on.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use pingora::{
    Error, ErrorSource, ErrorType, Result,
    apps::HttpServerApp,
    http::{RequestHeader, ResponseHeader},
    proxy::{FailToProxy, HttpProxy, ProxyHttp, Session, http_proxy},
    server::{ShutdownWatch, configuration::ServerConf},
    upstreams::peer::{ALPN, HttpPeer},
};

use crate::{
    config::Protocol,
    exchange::Exchange,
    fault::{ClientFault, Fault, UpstreamFault},
    lane::{
        problem::{self, Asked},
        proxy::headers,
    },
    route::Route,
    upstream::{Address, Pool, PoolSettings},
    wire::Fields,
};

pub(crate) struct FullLane(Arc<HttpProxy<Carrier>>);

/// What one request brings along through Pingora's phases.
struct Handed {
    peer: HttpPeer,
    target: String,
    to_service: Fields,
    to_client: Fields,
    route_headers: Vec<(String, String)>,
    request_id: String,
    body_limit: u64,
    body_seen: u64,
    outcome: Arc<Mutex<Outcome>>,
}

#[derive(Default)]
struct Outcome {
    status: u16,
    bytes_out: u64,
    fault: Option<Fault>,
}

tokio::task_local! {
    /// Pingora makes the context of a request itself; this is how ours gets into it.
    static HANDED: RefCell<Option<Handed>>;
}

impl FullLane {
    pub(crate) fn new() -> Self {
        Self(Arc::new(http_proxy(&Arc::new(ServerConf::default()), Carrier)))
    }

    pub(crate) async fn answer(
        &self,
        exchange: &mut Exchange<'_>,
        route: &Route,
        pool: &Arc<Pool>,
        shutdown: &ShutdownWatch,
    ) -> Result<(), Fault> {
        exchange.record.upstream = Some(pool.name.clone());
        let settings = pool.settings();
        let key = settings.hash_on.key(&exchange.request.head.fields, exchange.request.client.address);
        let lease = pool.lease(key, &[])?;
        exchange.record.server = Some(lease.server.name.clone());
        exchange.record.attempts = 1;
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let mut to_client = Fields::default();
        for (name, value) in exchange.added.iter() {
            to_client.push(name, value);
        }
        let mut to_service = headers::to_service(&exchange.request);
        if exchange.request.head.fields.get("te") == Some(b"trailers") {
            // gRPC insists on it; on this lane trailers do pass.
            to_service.push("te", "trailers");
        }
        let handed = Handed {
            peer: peer(&lease.server.address, &settings, route)?,
            target: route.target_for(&exchange.request),
            to_service,
            to_client,
            route_headers: exchange.response_headers.clone(),
            request_id: exchange.request.id.clone(),
            body_limit: route.limits.body,
            body_seen: 0,
            outcome: outcome.clone(),
        };
        let session = exchange.downstream.take_session(&exchange.request.head).ok_or(ClientFault::Gone)?;
        let back = HANDED.scope(RefCell::new(Some(handed)), self.0.process_new_http(session, shutdown)).await;
        exchange.downstream.give_back(back.map(|reused| reused.consume().0));
        let outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
        exchange.record.status = outcome.status;
        exchange.record.bytes_out = outcome.bytes_out;
        match &outcome.fault {
            Some(Fault::Upstream(fault)) => pool.failed(&lease.server, fault),
            _ => lease.server.succeeded(),
        }
        // Answered already, by us inside Pingora; only the log is still to be told.
        outcome.fault.map_or(Ok(()), Err)
    }
}

fn peer(address: &Address, settings: &PoolSettings, route: &Route) -> Result<HttpPeer, Fault> {
    let raw = &settings.raw;
    let is_tls = matches!(raw.protocol, Protocol::Https | Protocol::H2);
    let name = raw.tls_name.clone().unwrap_or_default();
    let mut peer = match address {
        Address::Tcp(address) => HttpPeer::new(*address, is_tls, name),
        Address::Unix(path) => HttpPeer::new_uds(&path.display().to_string(), is_tls, name)
            .map_err(|error| UpstreamFault::Refused(error.to_string()))?,
    };
    let options = &mut peer.options;
    options.alpn = match raw.protocol {
        Protocol::Http | Protocol::Https => ALPN::H1,
        Protocol::H2c | Protocol::H2 => ALPN::H2,
    };
    options.ca.clone_from(&settings.tls_root);
    options.connection_timeout = Some(raw.connect_timeout.get());
    options.total_connection_timeout = Some(raw.connect_timeout.get() * 2);
    options.read_timeout = Some(route.limits.answer_timeout.unwrap_or(raw.answer_timeout.get()));
    options.write_timeout = options.read_timeout;
    options.idle_timeout = Some(raw.idle_timeout.get());
    // Pingora's default is one stream per connection: no multiplexing.
    options.max_h2_streams = 100;
    Ok(peer)
}

struct Carrier;

impl Carrier {
    fn tell(handed: &Handed, change: impl FnOnce(&mut Outcome)) {
        change(&mut handed.outcome.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn lost() -> Box<Error> {
    Error::explain(ErrorType::InternalError, "the request lost its context")
}

fn append(header: &mut ResponseHeader, fields: &Fields) -> Result<()> {
    for (name, value) in fields.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            header.append_header(name, value)?;
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl ProxyHttp for Carrier {
    type CTX = Option<Handed>;

    fn new_ctx(&self) -> Self::CTX {
        HANDED.try_with(RefCell::take).ok().flatten()
    }

    async fn upstream_peer(&self, _session: &mut Session, ctx: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(ctx.as_ref().ok_or_else(lost)?.peer.clone()))
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let handed = ctx.as_mut().ok_or_else(lost)?;
        handed.body_seen += body.as_ref().map_or(0, |body| body.len() as u64);
        if handed.body_seen > handed.body_limit {
            return Err(Error::explain(ErrorType::HTTPStatus(413), "the body is larger than the limit"));
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let handed = ctx.as_ref().ok_or_else(lost)?;
        // Framing and upgrade are Pingora's to say; every other field is ours.
        let kept = ["content-length", "transfer-encoding", "connection", "upgrade"];
        let dropped: Vec<HeaderName> =
            request.headers.keys().filter(|name| !kept.contains(&name.as_str())).cloned().collect();
        for name in dropped {
            request.remove_header(&name);
        }
        for (name, value) in handed.to_service.iter() {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                request.append_header(name, value)?;
            }
        }
        request.set_raw_path(handed.target.as_bytes())
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let handed = ctx.as_ref().ok_or_else(lost)?;
        for name in ["server", "x-powered-by", "x-request-id"] {
            response.remove_header(name);
        }
        for (name, value) in &handed.route_headers {
            response.insert_header(name.clone(), value)?;
        }
        append(response, &handed.to_client)?;
        response.insert_header("x-request-id", &handed.request_id)?;
        Self::tell(handed, |outcome| outcome.status = response.status.as_u16());
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<std::time::Duration>> {
        if let (Some(handed), Some(body)) = (ctx, body) {
            Self::tell(handed, |outcome| outcome.bytes_out += body.len() as u64);
        }
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Self::CTX) -> FailToProxy {
        let fault = fault_of(error, ctx.as_ref().map_or(0, |handed| handed.body_limit));
        let status = fault.status();
        let mut error_code = status.as_u16();
        if let Some(handed) = ctx {
            if session.response_written().is_none() {
                let (mut fields, body) =
                    problem::document(&fault, &Asked::Unreadable { id: &handed.request_id });
                fields.push("x-request-id", &handed.request_id);
                if let Ok(mut head) = ResponseHeader::build(status, Some(8)) {
                    let length = head.insert_header("content-length", body.len());
                    let written = length
                        .and_then(|()| append(&mut head, &fields))
                        .and_then(|()| append(&mut head, &handed.to_client));
                    // A client that left does not read why.
                    if written.is_err() || session.write_error_response(head, body).await.is_err() {
                        error_code = 0;
                    }
                }
            }
            Self::tell(handed, |outcome| {
                outcome.status = status.as_u16();
                outcome.fault = Some(fault);
            });
        }
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &Self::CTX, _error: &Error) -> bool {
        // Our access log has the fault and its cause.
        true
    }
}

/// Whose fault a Pingora error is, in our words.
fn fault_of(error: &Error, limit: u64) -> Fault {
    match (error.etype(), error.esource()) {
        (ErrorType::HTTPStatus(413), _) => ClientFault::BodyTooLarge { limit }.into(),
        (_, ErrorSource::Downstream) => ClientFault::Gone.into(),
        (ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout, _) => {
            UpstreamFault::ConnectTimeout.into()
        }
        (ErrorType::ReadTimedout | ErrorType::WriteTimedout, _) => UpstreamFault::AnswerTimeout.into(),
        (
            ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::TLSHandshakeFailure
            | ErrorType::InvalidCert
            | ErrorType::HandshakeError,
            _,
        ) => UpstreamFault::Refused(error.etype().as_str().to_owned()).into(),
        _ => UpstreamFault::ClosedEarly.into(),
    }
}
