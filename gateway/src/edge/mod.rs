//! What every request meets, in the order in which it meets it.
//!
//! [`h1`] and [`h2`] read requests off their connections; [`serve`] is the one list of steps for both.

pub(crate) mod arrival;
pub(crate) mod h1;
pub(crate) mod h2;

use std::{sync::Arc, time::Instant};

use http::StatusCode;
use pingora::server::ShutdownWatch;

use crate::{
    admin,
    config::RateBy,
    exchange::{Connection, Downstream, Exchange, Record},
    fault::{ClientFault, Fault},
    gateway::Gateway,
    guard::{
        addresses::counted,
        cors::Cors,
        rate::{Caller, Verdict},
    },
    lane,
    route::{Action, Found, Route},
    snapshot::Snapshot,
    tls::acme::CHALLENGE_PATH,
    wire::{Fields, RequestHead, request::Version},
};

/// Which listener a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Plain HTTP that only leads to HTTPS: redirects, ACME proofs, and what orchestrators ask.
    Redirect,
    /// Plain HTTP that is served.
    Plain,
    Secure,
    /// Operators.
    Admin,
}

/// What a request's steps may use.
pub(crate) struct Context<'g> {
    pub(crate) gateway: &'g Arc<Gateway>,
    pub(crate) snapshot: &'g Snapshot,
    pub(crate) door: Door,
    pub(crate) shutdown: &'g ShutdownWatch,
}

/// Answers one request, whatever happens, and tells the log.
pub(crate) fn serve<'c>(
    context: &'c Context<'c>,
    connection: &Arc<Connection>,
    head: RequestHead,
    downstream: Downstream<'c>,
    arrived: Instant,
) -> impl Future<Output = ()> + Send + 'c {
    // The path is read first, and in one way only: everything after decides by it.
    let path = crate::route::path::normalize(head.path());
    let is_good = path.is_some();
    let request =
        arrival::request(context.snapshot, head, path.unwrap_or_default(), connection.clone(), arrived);
    let exchange = Box::new(Exchange {
        request,
        downstream,
        record: Record::default(),
        added: Fields::default(),
        response_headers: Vec::new(),
    });
    conclude(context, exchange, is_good)
}

async fn conclude(context: &Context<'_>, mut exchange: Box<Exchange<'_>>, has_good_path: bool) {
    let outcome =
        if has_good_path { steps(context, &mut exchange).await } else { Err(ClientFault::BadPath.into()) };
    match outcome {
        Ok(()) => exchange.record.fault = None,
        Err(fault) => {
            let page = lane::static_files::error_page(&mut exchange, &context.gateway.site, &fault);
            if !Box::pin(page).await {
                lane::problem::answer(&mut exchange, &fault).await;
            }
            exchange.record.fault = Some(fault);
        }
    }
    context.gateway.observe.exchange(&exchange);
}

async fn steps(context: &Context<'_>, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    let snapshot = context.snapshot;
    // Expectations other than the one we know would be ignored by some service behind us.
    expectation(&exchange.request.head)?;
    // Orchestrators ask every listener, before anything can redirect or refuse them.
    if admin::health::is_for(&exchange.request.path) {
        return admin::health::answer(context.gateway, exchange).await;
    }
    match context.door {
        // Operators have a listener of their own, with a token of its own.
        Door::Admin => return Box::pin(admin::answer(context, exchange)).await,
        Door::Redirect => return redirect(context, exchange).await,
        Door::Plain | Door::Secure => {}
    }
    // RFC 6797 §7.2: never in the clear, as the client sees it. And not for this machine's own names: a browser would
    // force HTTPS on every other port of it.
    if let Some(hsts) = &snapshot.hsts
        && exchange.request.client.scheme == "https"
        && !arrival::is_own_machine(exchange.request.host())
    {
        exchange.added.push("strict-transport-security", hsts);
    }
    // Who may not come in at all is refused before it costs anything.
    if !snapshot.addresses.admits(exchange.request.client.address) {
        return Err(ClientFault::AddressDenied.into());
    }
    rate(context, exchange, None, snapshot.rate, RateBy::Address)?;
    if snapshot.settings.admin.main_port && admin::is_for(&exchange.request.path) {
        return Box::pin(admin::answer(context, exchange)).await;
    }
    let route = match snapshot.routes.find(&exchange.request) {
        Found::Route(route) => route,
        Found::WrongMethod(allow) => return Err(ClientFault::MethodNotAllowed { allow }.into()),
        Found::Nothing => return Err(ClientFault::NoRoute.into()),
    };
    exchange.record.route = Some(route.name.clone());
    match guards(context, exchange, &route).await? {
        Guarded::Admitted => answer(context, exchange, &route).await,
        Guarded::Preflight(status) => exchange.respond(status, Fields::default(), bytes::Bytes::new()).await,
    }
}

/// Where nothing is served: an ACME authority gets its proof, everybody else the way to HTTPS.
async fn redirect(context: &Context<'_>, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    let token = exchange.request.path.strip_prefix(CHALLENGE_PATH);
    match token.and_then(|token| context.gateway.certificates.challenges.proof(token)) {
        Some(proof) => {
            let mut fields = Fields::default();
            fields.push("content-type", "application/octet-stream");
            exchange.respond(StatusCode::OK, fields, proof.into()).await
        }
        None => lane::redirect::to_https(exchange, &context.snapshot.redirect_port).await,
    }
}

/// What the guards, when they do not refuse, say of a request.
enum Guarded {
    Admitted,
    /// A CORS preflight: answered here.
    Preflight(StatusCode),
}

async fn guards(context: &Context<'_>, exchange: &mut Exchange<'_>, route: &Route) -> Result<Guarded, Fault> {
    if !route.addresses.admits(exchange.request.client.address) {
        return Err(ClientFault::AddressDenied.into());
    }
    // By address as early as possible, by user as soon as the user is known.
    if route.limits.rate_by == RateBy::Address {
        rate(context, exchange, Some(route), route.limits.rate, RateBy::Address)?;
    }
    // Declared lengths are refused before a byte of the body is read, undeclared ones while reading.
    exchange.downstream.limit_body(route.limits.body);
    if let crate::wire::Framing::Length(length) = exchange.request.head.framing
        && length > route.limits.body
    {
        return Err(ClientFault::BodyTooLarge { limit: route.limits.body }.into());
    }
    // Before identity: a preflight carries no token.
    if let Some(cors) = &route.cors
        && let Cors::Preflight(status) = cors.apply(&exchange.request, &mut exchange.added)?
    {
        return Ok(Guarded::Preflight(status));
    }
    if let Some(rule) = &route.identity {
        exchange.request.subject =
            Some(Box::pin(context.gateway.identities.require(&exchange.request, rule)).await?);
    }
    if route.limits.rate_by == RateBy::User {
        rate(context, exchange, Some(route), route.limits.rate, RateBy::User)?;
    }
    Ok(Guarded::Admitted)
}

async fn answer(context: &Context<'_>, exchange: &mut Exchange<'_>, route: &Arc<Route>) -> Result<(), Fault> {
    exchange.response_headers.clone_from(&route.response_headers);
    // Each long way is in a box of its own. The box of the whole is filled by copying all that it has room for, so it must
    // not have room for the longest.
    match &route.action {
        Action::Files => Box::pin(lane::static_files::answer(exchange, &context.gateway.site)).await,
        Action::Redirect { to, status } => lane::redirect::to_configured(exchange, to, *status).await,
        Action::Proxy { pool, .. } if pool.settings().raw.protocol.is_http2() => {
            let body_timeout = context.snapshot.deadlines.body_read;
            let full = &context.gateway.full;
            Box::pin(full.answer(exchange, route, pool, body_timeout, context.shutdown)).await
        }
        Action::Proxy { pool, .. } if lane::tunnel::is_wanted(&exchange.request) => {
            let observe = &context.gateway.observe;
            Box::pin(lane::tunnel::answer(exchange, route, pool, observe, context.shutdown)).await
        }
        Action::Proxy { pool, .. } => Box::pin(lane::proxy::answer(exchange, route, pool)).await,
    }
}

fn expectation(head: &RequestHead) -> Result<(), Fault> {
    match head.fields.get("expect") {
        None => Ok(()),
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") && head.version != Version::Http10 => {
            Ok(())
        }
        Some(_) => Err(ClientFault::Unexpected.into()),
    }
}

fn rate(
    context: &Context<'_>,
    exchange: &mut Exchange<'_>,
    route: Option<&Route>,
    limit: Option<crate::guard::rate::RateLimit>,
    by: RateBy,
) -> Result<(), Fault> {
    let Some(limit) = limit else { return Ok(()) };
    let caller = match (&exchange.request.subject, by) {
        (Some(subject), RateBy::User) => Caller::User(subject.id.as_str().into()),
        _ => Caller::Address(counted(exchange.request.client.address)),
    };
    let key = (route.map(|route| route.name.clone()), caller);
    let Verdict { allowed, limit, remaining, reset } =
        context.gateway.limiter.admit(key, limit, Instant::now());
    exchange.added.push("ratelimit-limit", limit.to_string());
    exchange.added.push("ratelimit-remaining", remaining.to_string());
    exchange.added.push("ratelimit-reset", reset.as_secs_f64().ceil().to_string());
    if allowed { Ok(()) } else { Err(ClientFault::TooManyRequests { retry_after: reset, limit }.into()) }
}

/// The answer to a head that could not be read: there is no exchange to answer in. The log is told.
pub(crate) fn unreadable(
    gateway: &Gateway,
    connection: &Connection,
    fault: &Fault,
) -> (StatusCode, Fields, bytes::Bytes) {
    let id = arrival::new_id(Instant::now());
    gateway.observe.refused(connection, &id, fault);
    let (mut fields, body) = lane::problem::document(fault, &lane::problem::Asked::unreadably(&id));
    fields.push("x-request-id", &id);
    (fault.status(), fields, body)
}
