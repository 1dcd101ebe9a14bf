//! WebSockets: the handshake goes to a service, then bytes go both ways until one side ends. The client asks by an
//! upgrade of its HTTP/1.1 connection or by one stream of an HTTP/2 one (RFC 8441); the service is always asked by an
//! upgrade.
//!
//! The lane pumps on the raw sockets. Nothing runs beside the pump that could tear it down: Pingora's own
//! proxy ends a tunnel whose 101 arrives before it has polled the (empty) request body (its issue 946),
//! which a service on the same machine does under load. Bytes that either side sent early are passed on
//! first. Small buffers, one idle deadline, and a Close frame (1012) when the gateway drains.

mod frames;
mod pump;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};
use pingora::server::ShutdownWatch;
use tokio::{io::AsyncReadExt, time::timeout};

#[cfg(test)]
pub(crate) use self::frames::fuzz as fuzz_frames;
use self::pump::Client;
use crate::{
    exchange::{BodySize, Downstream, Exchange, Request},
    fault::{ClientFault, Fault, UpstreamFault},
    lane::proxy::headers,
    observe::Observe,
    route::Route,
    upstream::{Lease, Pool, PoolSettings, connection::Connection},
    wire::{BodyDecoder, Decoded, Fields, Framing, ResponseHead, list, request::Version, response},
};

/// How much of a refusal's body is passed on.
const REFUSAL_MAX: usize = 64 * 1024;

/// Whether the client asks to leave HTTP for WebSocket.
pub(crate) fn is_wanted(request: &Request) -> bool {
    let upgrade = |value: &[u8]| list(value).any(|one| one.eq_ignore_ascii_case(b"websocket"));
    let upgrades = request.head.version == Version::Http11
        && request.head.connection_has("upgrade")
        && request.head.fields.all("upgrade").any(upgrade);
    upgrades || request.head.extended_connect
}

/// RFC 6455 §4.2.1: what a handshake must have.
fn check(request: &Request) -> Result<(), ClientFault> {
    let fields = &request.head.fields;
    if request.head.method != Method::GET {
        return Err(ClientFault::BadUpgrade("the method is not GET"));
    }
    if request.head.framing != Framing::None {
        // SECURITY: a body here would be read as frames by one side and as a request by the other.
        return Err(ClientFault::BadUpgrade("it has a body"));
    }
    if fields.get("sec-websocket-version") != Some(b"13") {
        return Err(ClientFault::BadUpgrade("Sec-WebSocket-Version is not 13"));
    }
    if request.head.extended_connect {
        // RFC 8441 §5: HTTP/2 needs no key to prove that both sides speak WebSocket.
        return Ok(());
    }
    let mut keys = fields.all("sec-websocket-key");
    match (keys.next(), keys.next()) {
        (Some(key), None) if key.len() == 24 && key.ends_with(b"==") => Ok(()),
        _ => Err(ClientFault::BadUpgrade("Sec-WebSocket-Key is not one base64 value of 16 bytes")),
    }
}

pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    route: &Route,
    pool: &Arc<Pool>,
    observe: &Observe,
    shutdown: &ShutdownWatch,
) -> Result<(), Fault> {
    exchange.record.upstream = Some(pool.name.clone());
    check(&exchange.request)?;
    let settings = pool.settings();
    let request_head = headers::upgrade_head(&exchange.request, route);
    let key = settings.hash_on.key(&exchange.request.head.fields, exchange.request.client.address);
    pool.budget.request(settings.raw.retry.budget_percent);
    let patience = route.limits.answer_timeout.unwrap_or(settings.raw.answer_timeout.get());
    let mut tried: Vec<Arc<str>> = Vec::new();
    let mut lease = pool.lease(key, &tried).await?;
    let Asked { connection, early, head } = loop {
        exchange.record.attempts += 1;
        exchange.record.server = Some(lease.server.name.clone());
        let asked = ask(exchange, &lease, &settings, &request_head, patience).await;
        let again = match &asked {
            Ok(asked) => {
                lease.server.succeeded();
                // The server is full, or stops: another may take the client in.
                asked.head.status == StatusCode::SERVICE_UNAVAILABLE
            }
            Err(fault) => {
                pool.failed(&lease.server, fault);
                // A handshake is a GET: asking twice does nothing twice. Only the wait is not to be had twice.
                !matches!(fault, UpstreamFault::AnswerTimeout)
            }
        };
        if !again || exchange.record.attempts >= settings.raw.retry.attempts || !pool.budget.try_retry() {
            break asked?;
        }
        tried.push(lease.server.name.clone());
        match (pool.try_lease(key, &tried), asked) {
            (Ok(next), _) => lease = next,
            (Err(_), Ok(refusal)) => break refusal,
            // What the last one said is the better answer.
            (Err(_), Err(fault)) => return Err(fault.into()),
        }
    };
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        let body = timeout(patience, refusal(connection, early, &head)).await;
        let body = body.unwrap_or(Err(UpstreamFault::AnswerTimeout))?;
        let fields = headers::answer_fields(&head.fields, &[]);
        return exchange.respond(head.status, fields, body).await;
    }
    lease.outlives_the_request();
    if exchange.request.head.extended_connect {
        exchange.start(StatusCode::OK, accepted(&head.fields), BodySize::Unknown)?;
    }
    let open = observe.websocket_opened();
    let idle = route.limits.tunnel_idle;
    let moved = match &mut exchange.downstream {
        Downstream::Http1(client) => {
            exchange.record.status = 101;
            client.close_after();
            client.write_raw(&switching(&head.fields, &exchange.request.id)).await?;
            let (socket, sent_early) = client.socket_mut();
            let sent_early = sent_early.split();
            let moved = pump::run(Client::Http1(socket), sent_early, connection, early, idle, shutdown).await;
            client.abort();
            moved
        }
        Downstream::Http2(client) => {
            let client = Client::Http2(client);
            pump::run(client, BytesMut::new(), connection, early, idle, shutdown).await
        }
    };
    drop(open);
    exchange.record.bytes_in = moved.from_client;
    exchange.record.bytes_out = moved.from_service;
    Ok(())
}

/// A server's answer to a handshake, and what came behind it.
struct Asked {
    connection: Connection,
    early: BytesMut,
    head: ResponseHead,
}

/// Asks one server.
async fn ask(
    exchange: &mut Exchange<'_>,
    lease: &Lease,
    settings: &PoolSettings,
    request_head: &[u8],
    patience: Duration,
) -> Result<Asked, UpstreamFault> {
    let limit = settings.raw.connect_timeout.get();
    let mut connection = Connection::open(&lease.server.address, &settings.dial, limit).await?;
    let started = Instant::now();
    let mut early = BytesMut::with_capacity(4096);
    let answered = timeout(patience, handshake(&mut connection, request_head, &mut early)).await;
    let head = answered.unwrap_or(Err(UpstreamFault::AnswerTimeout))?;
    exchange.record.waited = Some(started.elapsed());
    exchange.tried(&lease.server.name, started, Ok(head.status.as_u16()));
    Ok(Asked { connection, early, head })
}

/// Sends the handshake and reads the head of the answer; what came behind it stays in `early`.
async fn handshake(
    connection: &mut Connection,
    request: &[u8],
    early: &mut BytesMut,
) -> Result<ResponseHead, UpstreamFault> {
    connection.send(request).await.map_err(|_| UpstreamFault::ClosedEarly)?;
    loop {
        if let Some((head, taken)) = response::parse(early).map_err(UpstreamFault::BadAnswer)? {
            early.advance(taken);
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            return Ok(head);
        }
        match connection.read_buf(early).await {
            Ok(size) if size > 0 => {}
            Ok(_) | Err(_) => return Err(UpstreamFault::ClosedEarly),
        }
    }
}

/// The 101 as the client gets it.
fn switching(fields: &Fields, request_id: &str) -> Vec<u8> {
    let mut text =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n".to_vec();
    for (name, value) in fields.iter() {
        let ours = ["connection", "upgrade", "content-length", "transfer-encoding", "date", "server"];
        if !ours.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes())) {
            text.extend_from_slice(name);
            text.extend_from_slice(b": ");
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
    }
    text.extend_from_slice(format!("x-request-id: {request_id}\r\n\r\n").as_bytes());
    text
}

/// What of the service's 101 goes into the 200 of a client on HTTP/2.
fn accepted(fields: &Fields) -> Fields {
    let mut passed = Fields::default();
    for (name, value) in headers::answer_fields(fields, &[]).iter() {
        if !name.eq_ignore_ascii_case(b"sec-websocket-accept") {
            passed.push(name, value);
        }
    }
    passed
}

/// The service said no in plain HTTP: its answer is the answer, of which this is the body.
async fn refusal(
    mut connection: Connection,
    mut input: BytesMut,
    head: &ResponseHead,
) -> Result<Bytes, UpstreamFault> {
    let framing = head.framing(&Method::GET).map_err(UpstreamFault::BadAnswer)?;
    let mut decoder = BodyDecoder::new(framing);
    let mut body = BytesMut::new();
    while body.len() < REFUSAL_MAX {
        match decoder.decode(&mut input).map_err(UpstreamFault::BadBody)? {
            Decoded::End => break,
            Decoded::Data(data) => body.extend_from_slice(&data),
            Decoded::More => match connection.read_buf(&mut input).await {
                Ok(size) if size > 0 => {}
                Ok(_) | Err(_) => {
                    decoder.closed().map_err(UpstreamFault::BadBody)?;
                    break;
                }
            },
        }
    }
    Ok(body.freeze())
}
