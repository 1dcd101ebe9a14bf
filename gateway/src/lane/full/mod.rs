//! The full lane: Pingora's `HttpProxy`, for services that speak HTTP/2 (gRPC among them), where both sides stream at
//! once and answers end in trailers.
//!
//! Who is asked, who is asked next and which fields pass is decided by the same code as on the lean lane; Pingora
//! carries it out.
//! The border: the connection, with the request's head in front of it again, becomes a Pingora session; what
//! is left of it afterwards comes back and goes on.

mod choice;
mod upload;

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use pingora::{
    Error, ErrorSource, ErrorType, Result,
    apps::HttpServerApp,
    http::{RequestHeader, ResponseHeader},
    proxy::{FailToProxy, HttpProxy, ProxyHttp, Session, http_proxy},
    server::{ShutdownWatch, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};

use self::{
    choice::Choice,
    upload::{Upload, stalled},
};
use crate::{
    exchange::{Exchange, Try},
    fault::{ClientFault, Fault, UpstreamFault},
    lane::{
        problem::{self, Asked},
        proxy::headers,
        tunnel,
    },
    route::Route,
    upstream::Pool,
    wire::{Fields, Framing, body::BadBody},
};

/// Made by the first request that needs it: Pingora's connector reads all of the system's authorities.
pub(crate) struct FullLane(OnceLock<Arc<HttpProxy<Carrier>>>);

/// What one request brings along through Pingora's phases.
struct Handed {
    choice: Choice,
    target: String,
    to_service: Fields,
    to_client: Fields,
    route_headers: Vec<(String, String)>,
    request_id: String,
    path: String,
    wants_html: bool,
    upload: Arc<Mutex<Upload>>,
    /// Set when the body is one that we refuse.
    bad_body: Arc<OnceLock<BadBody>>,
    outcome: Arc<Mutex<Outcome>>,
}

#[derive(Default)]
struct Outcome {
    server: Option<Arc<str>>,
    attempts: u32,
    tries: Vec<Try>,
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
        Self(OnceLock::new())
    }

    pub(crate) async fn answer(
        &self,
        exchange: &mut Exchange<'_>,
        route: &Route,
        pool: &Arc<Pool>,
        body_timeout: Duration,
        shutdown: &ShutdownWatch,
    ) -> Result<(), Fault> {
        exchange.record.upstream = Some(pool.name.clone());
        let request = &exchange.request;
        if request.head.method == Method::CONNECT || request.head.method == Method::TRACE {
            return Err(ClientFault::MethodNotAllowed { allow: headers::METHODS.into() }.into());
        }
        if tunnel::is_wanted(request) {
            return Err(ClientFault::BadUpgrade("this service takes none").into());
        }
        let settings = pool.settings();
        pool.budget.request(settings.raw.retry.budget_percent);
        let key = settings.hash_on.key(&request.head.fields, request.client.address);
        let lease = pool.lease(key, &[]).await?;
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let upload = Arc::new(Mutex::new(Upload::new(route.limits.body, body_timeout, &request.head)));
        let mut to_client = Fields::default();
        for (name, value) in exchange.added.iter() {
            to_client.push(name, value);
        }
        let mut to_service = headers::to_service(&exchange.request, route);
        if exchange.request.head.fields.get("te") == Some(b"trailers") {
            // gRPC insists on it; on this lane trailers do pass.
            to_service.push("te", "trailers");
        }
        // Pingora would leave that to the service, over a protocol in which we cannot pass it on.
        exchange.downstream.invite_body().await?;
        let (session, bad_body) = exchange.downstream.take_session(&exchange.request.head)?;
        let request = &exchange.request;
        let handed = Handed {
            choice: Choice {
                pool: pool.clone(),
                key,
                repeatable: request.head.is_idempotent() && request.head.framing == Framing::None,
                answer_timeout: route.limits.answer_timeout,
                lease: Some(lease),
                began: Instant::now(),
                tried: Vec::new(),
                fault: None,
            },
            target: route.target_for(&exchange.request),
            to_service,
            to_client,
            route_headers: std::mem::take(&mut exchange.response_headers),
            request_id: exchange.request.id.clone(),
            path: exchange.request.raw_path().to_owned(),
            wants_html: exchange.request.wants_html(),
            upload: upload.clone(),
            bad_body,
            outcome: outcome.clone(),
        };
        let proxy = self.0.get_or_init(|| Arc::new(http_proxy(&Arc::new(ServerConf::default()), Carrier)));
        let back = HANDED.scope(RefCell::new(Some(handed)), proxy.process_new_http(session, shutdown));
        let stalled = async {
            stalled(&upload).await;
            // A moment for the session to notice by itself, and to say so.
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            back = back => exchange.downstream.give_back(back.map(|reused| reused.consume().0)),
            () = stalled => {
                let fault = Fault::from(ClientFault::SlowBody);
                exchange.record.status = fault.status().as_u16();
                return Err(fault);
            }
        }
        let outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
        exchange.record.server = outcome.server;
        exchange.record.attempts = outcome.attempts;
        if exchange.request.trace.is_some() {
            exchange.record.tries = outcome.tries;
        }
        exchange.record.status = outcome.status;
        exchange.record.bytes_out = outcome.bytes_out;
        // Answered already, by us inside Pingora; only the log is still to be told.
        outcome.fault.map_or(Ok(()), Err)
    }
}

struct Carrier;

impl Carrier {
    fn tell(handed: &Handed, change: impl FnOnce(&mut Outcome)) {
        change(&mut handed.outcome.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Ends a request whose body we refuse. It must be the client's error: of any other Pingora thinks that the service
/// wants no more of the body, and waits for an answer that the service cannot give without it.
fn refusal(status: u16, why: &'static str) -> Box<Error> {
    Error::explain(ErrorType::HTTPStatus(status), why).into_down()
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
        let handed = ctx.as_mut().ok_or_else(lost)?;
        match handed.choice.server() {
            Ok((peer, server)) => {
                Self::tell(handed, |outcome| {
                    outcome.server = Some(server);
                    outcome.attempts += 1;
                });
                Ok(Box::new(peer))
            }
            Err(fault) => {
                handed.choice.fault = Some(fault);
                Err(Error::explain(ErrorType::ConnectError, "no server is left to ask"))
            }
        }
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Self::CTX,
        mut error: Box<Error>,
    ) -> Box<Error> {
        if let (Some(handed), Fault::Upstream(fault)) = (ctx, fault_of(&error, 0)) {
            let over = handed.choice.failed(&fault);
            Self::tell(handed, |outcome| outcome.tries.extend(over));
            // Nothing was sent: whatever the method, it may go elsewhere.
            error.set_retry(handed.choice.may_retry());
        }
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut Self::CTX,
        client_reused: bool,
    ) -> Box<Error> {
        error.set_retry(false);
        let (Some(handed), Fault::Upstream(fault)) = (ctx, fault_of(&error, 0)) else { return error };
        let repeatable = handed.choice.repeatable && session.response_written().is_none();
        if repeatable && client_reused {
            // The connection was closed while it was idle. That says nothing about the server.
            error.set_retry(true);
            return error;
        }
        let over = handed.choice.failed(&fault);
        Self::tell(handed, |outcome| outcome.tries.extend(over));
        error.set_retry(repeatable && handed.choice.may_retry());
        error
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let handed = ctx.as_ref().ok_or_else(lost)?;
        let mut upload = handed.upload.lock().unwrap_or_else(PoisonError::into_inner);
        if upload.is_slow() {
            return Err(refusal(408, "the body comes too slowly"));
        }
        upload.over |= end;
        upload
            .pace
            .came(body.as_ref().map_or(0, Bytes::len))
            .map_err(|_| refusal(413, "the body is larger than the limit"))
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
            if value.is_empty() {
                response.remove_header(name.as_str());
            } else {
                response.insert_header(name.clone(), value)?;
            }
        }
        append(response, &handed.to_client)?;
        response.insert_header("x-request-id", &handed.request_id)?;
        handed.upload.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        Self::tell(handed, |outcome| outcome.status = response.status.as_u16());
        if let Some(lease) = &handed.choice.lease {
            lease.answered(response.status);
            let over = handed.choice.over(lease, Ok(response.status.as_u16()));
            Self::tell(handed, |outcome| outcome.tries.push(over));
        }
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
        let limit = ctx
            .as_ref()
            .map_or(0, |handed| handed.upload.lock().unwrap_or_else(PoisonError::into_inner).pace.limit);
        let known = ctx.as_mut().and_then(|handed| {
            let bad = handed.bad_body.get().map(|bad| ClientFault::BadBody(*bad).into());
            bad.or_else(|| handed.choice.fault.take())
        });
        let fault = known.unwrap_or_else(|| fault_of(error, limit));
        let status = fault.status();
        let mut error_code = status.as_u16();
        if let Some(handed) = ctx {
            if session.response_written().is_none() {
                let asked =
                    Asked { id: &handed.request_id, path: Some(&handed.path), wants_html: handed.wants_html };
                let (mut fields, body) = problem::document(&fault, &asked);
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
        (ErrorType::HTTPStatus(408), _) | (ErrorType::ReadTimedout, ErrorSource::Downstream) => {
            ClientFault::SlowBody.into()
        }
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
