//! The lean lane: one request to a service, one answer back, without anything in between that a plain
//! request does not need.
//!
//! The head is built once from the parsed fields and written with a small body in one piece. Connections
//! are kept and checked before reuse. A failed try is made again elsewhere only while nothing
//! reached the client and the request may be repeated.

mod answer;
pub(crate) mod headers;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    exchange::Exchange,
    fault::{ClientFault, Fault, UpstreamFault},
    route::Route,
    upstream::{Lease, Pool, connection::Connection},
    wire::{Framing, ResponseHead, response},
};

/// Request bodies up to this size are read whole before a server is asked: they can be sent again, and a
/// slow client holds no connection of a service.
const BUFFERED_BODY: u64 = 64 * 1024;
/// How long the answer of a service is waited for that reads no more of a body.
const LAST_WORD: Duration = Duration::from_secs(1);

pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    route: &Route,
    pool: &Arc<Pool>,
) -> Result<(), Fault> {
    exchange.record.upstream = Some(pool.name.clone());
    if exchange.request.head.method == Method::CONNECT || exchange.request.head.method == Method::TRACE {
        return Err(ClientFault::MethodNotAllowed { allow: headers::METHODS.into() }.into());
    }
    let body = RequestBody::of(exchange).await?;
    let settings = pool.settings();
    pool.budget.request(settings.raw.retry.budget_percent);
    let head = headers::request_head(exchange, route, body.framing());
    let key = settings.hash_on.key(&exchange.request.head.fields, exchange.request.client.address);
    let mut tried: Vec<Arc<str>> = Vec::new();
    loop {
        let lease = match pool.lease(key, &tried).await {
            Ok(lease) => lease,
            // Every server was tried and failed: what the last one said is the better answer.
            Err(UpstreamFault::NoneHealthy) if !tried.is_empty() => {
                return Err(exchange.record.fault.take().unwrap_or(UpstreamFault::NoneHealthy.into()));
            }
            Err(fault) => return Err(fault.into()),
        };
        exchange.record.attempts += 1;
        exchange.record.server = Some(lease.server.name.clone());
        let began = Instant::now();
        let attempt = Attempt { pool, lease: &lease, route, head: &head, body: &body };
        let failed = match attempt.make(exchange).await {
            Ok(answered) => {
                lease.answered(answered.head.status);
                exchange.tried(&lease.server.name, began, Ok(answered.head.status.as_u16()));
                return answered.forward(exchange, &lease, pool, route).await;
            }
            Err(failed) => failed,
        };
        exchange.tried(&lease.server.name, began, Err(failed.fault.name()));
        let Fault::Upstream(fault) = &failed.fault else { return Err(failed.fault) };
        pool.failed(&lease.server, fault);
        let repeatable =
            body.is_replayable() && (failed.nothing_sent || exchange.request.head.is_idempotent());
        let may_retry =
            repeatable && exchange.record.attempts < settings.raw.retry.attempts && pool.budget.try_retry();
        if !may_retry {
            return Err(failed.fault);
        }
        tracing::debug!(server = &*lease.server.name, fault = failed.fault.name(), "trying another server");
        tried.push(lease.server.name.clone());
        exchange.record.fault = Some(failed.fault);
    }
}

/// What goes to the service after the head.
enum RequestBody {
    /// All of it, in memory.
    Whole(Bytes),
    /// Passed on as it comes.
    Streamed(Framing),
}

impl RequestBody {
    async fn of(exchange: &mut Exchange<'_>) -> Result<Self, Fault> {
        match exchange.request.head.framing {
            Framing::None => Ok(Self::Whole(Bytes::new())),
            Framing::Length(length) if length <= BUFFERED_BODY => {
                let mut whole = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
                while let Some(data) = exchange.downstream.read_body().await? {
                    whole.extend_from_slice(&data);
                }
                exchange.record.bytes_in = whole.len() as u64;
                Ok(Self::Whole(whole.freeze()))
            }
            framing => Ok(Self::Streamed(framing)),
        }
    }

    fn framing(&self) -> Framing {
        match self {
            Self::Whole(body) if body.is_empty() => Framing::None,
            Self::Whole(body) => Framing::Length(body.len() as u64),
            Self::Streamed(framing) => *framing,
        }
    }

    fn is_replayable(&self) -> bool {
        matches!(self, Self::Whole(_))
    }
}

struct Attempt<'a> {
    pool: &'a Pool,
    lease: &'a Lease,
    route: &'a Route,
    head: &'a [u8],
    body: &'a RequestBody,
}

/// A try that gave no answer.
struct Failed {
    fault: Fault,
    /// The server cannot have seen any of the request.
    nothing_sent: bool,
}

impl Failed {
    fn before(fault: impl Into<Fault>) -> Self {
        Self { fault: fault.into(), nothing_sent: true }
    }

    fn after(fault: impl Into<Fault>) -> Self {
        Self { fault: fault.into(), nothing_sent: false }
    }
}

impl Attempt<'_> {
    async fn make(&self, exchange: &mut Exchange<'_>) -> Result<answer::Answered, Failed> {
        let settings = self.pool.settings();
        let idle_timeout = settings.raw.idle_timeout.get();
        let patience = self.route.limits.answer_timeout.unwrap_or(settings.raw.answer_timeout.get());
        if let Some(connection) = self.lease.server.idle.take(idle_timeout) {
            match self.exchange_on(connection, exchange, patience).await {
                // The service closed the connection just when we wrote to it. That says nothing
                // about the server: once more on a fresh one, if the request may be repeated.
                Err(Failed { fault: Fault::Upstream(UpstreamFault::ClosedEarly), .. })
                    if self.body.is_replayable() && exchange.request.head.is_idempotent() => {}
                done => return done,
            }
        }
        let started = Instant::now();
        let limit = settings.raw.connect_timeout.get();
        let connection = Connection::open(&self.lease.server.address, &settings.dial, limit)
            .await
            .map_err(Failed::before)?;
        exchange.record.connect = Some(started.elapsed());
        self.exchange_on(connection, exchange, patience).await
    }

    async fn exchange_on(
        &self,
        mut connection: Connection,
        exchange: &mut Exchange<'_>,
        patience: Duration,
    ) -> Result<answer::Answered, Failed> {
        let started = Instant::now();
        let written = match self.body {
            RequestBody::Whole(body) if body.is_empty() => connection.send(self.head).await,
            RequestBody::Whole(body) => {
                let mut all = Vec::with_capacity(self.head.len() + body.len());
                all.extend_from_slice(self.head);
                all.extend_from_slice(body);
                connection.send(&all).await
            }
            RequestBody::Streamed(_) => connection.send(self.head).await,
        };
        written.map_err(|_| Failed::after(UpstreamFault::ClosedEarly))?;

        let mut input = BytesMut::with_capacity(8 * 1024);
        let (head, is_sent) = if let RequestBody::Streamed(framing) = self.body {
            self.stream_body(&mut connection, &mut input, exchange, *framing, patience).await?
        } else {
            let wait = timeout(patience, read_head(&mut connection, &mut input));
            let head = tokio::select! {
                biased;
                head = wait => head.map_err(|_| Failed::after(UpstreamFault::AnswerTimeout))?.map_err(Failed::after)?,
                () = exchange.downstream.gone() => return Err(Failed::after(ClientFault::Gone)),
            };
            (head, true)
        };
        exchange.record.waited = Some(started.elapsed());
        let answered =
            answer::Answered::new(connection, input, head, &exchange.request.head.method, patience)
                .map_err(Failed::after)?;
        Ok(if is_sent { answered } else { answered.before_the_end_of_the_request() })
    }

    /// Passes the body on while listening for an answer: a service may refuse before it has read all. Gives the
    /// answer's head, and whether all of the request was sent.
    async fn stream_body(
        &self,
        connection: &mut Connection,
        input: &mut BytesMut,
        exchange: &mut Exchange<'_>,
        framing: Framing,
        patience: Duration,
    ) -> Result<(ResponseHead, bool), Failed> {
        loop {
            let piece = tokio::select! {
                biased;
                head = read_head(connection, input) => {
                    // The rest of the request is not wanted; its sender must not reuse the connection.
                    exchange.downstream.close_after();
                    return Ok((head.map_err(Failed::after)?, false));
                }
                piece = exchange.downstream.read_body() => piece.map_err(Failed::after)?,
            };
            let is_last = piece.is_none();
            let data = match (piece, framing) {
                (None, Framing::Chunked) => Bytes::from_static(b"0\r\n\r\n"),
                (None, _) => break,
                (Some(data), framing) => {
                    exchange.record.bytes_in += data.len() as u64;
                    if framing == Framing::Chunked { chunk(&data) } else { data }
                }
            };
            let sending = timeout(patience, send_or_hear(connection, input, &data));
            match sending.await.unwrap_or_else(|_| Err(UpstreamFault::AnswerTimeout.into())) {
                Err(fault) => return Err(Failed::after(fault)),
                Ok(Some(head)) => {
                    exchange.downstream.close_after();
                    return Ok((head, false));
                }
                Ok(None) if is_last => break,
                Ok(None) => {}
            }
        }
        let head = timeout(patience, read_head(connection, input))
            .await
            .map_err(|_| Failed::after(UpstreamFault::AnswerTimeout))?
            .map_err(Failed::after)?;
        Ok((head, true))
    }
}

fn chunk(data: &[u8]) -> Bytes {
    let mut chunk = Vec::with_capacity(data.len() + 20);
    chunk.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk.into()
}

/// Sends a piece of a body, unless the service answers meanwhile: who refuses a body need not read it, and may close
/// the connection right behind the answer.
async fn send_or_hear(
    connection: &mut Connection,
    input: &mut BytesMut,
    data: &[u8],
) -> Result<Option<ResponseHead>, Fault> {
    let (mut reading, mut writing) = tokio::io::split(connection);
    let sent = tokio::select! {
        biased;
        head = read_head(&mut reading, input) => return head.map(Some),
        sent = async {
            writing.write_all(data).await?;
            writing.flush().await
        } => sent,
    };
    match sent {
        Ok(()) => Ok(None),
        // Nobody reads any more. What was said before that may still be on its way.
        Err(_) => match timeout(LAST_WORD, read_head(&mut reading, input)).await {
            Ok(Ok(head)) => Ok(Some(head)),
            Ok(Err(_)) | Err(_) => Err(UpstreamFault::ClosedEarly.into()),
        },
    }
}

/// The final answer's head; interim ones (100, 103) are read past. Safe to drop and call again: what was
/// read stays in `input`.
async fn read_head<R>(connection: &mut R, input: &mut BytesMut) -> Result<ResponseHead, Fault>
where
    R: AsyncRead + Unpin,
{
    loop {
        if let Some((head, taken)) = response::parse(input).map_err(UpstreamFault::BadAnswer)? {
            let _ = input.split_to(taken);
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                continue;
            }
            return Ok(head);
        }
        input.reserve(4096);
        match connection.read_buf(input).await {
            Ok(size) if size > 0 => {}
            Ok(_) | Err(_) => return Err(UpstreamFault::ClosedEarly.into()),
        }
    }
}
