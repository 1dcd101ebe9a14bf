//! The HTTP/1.1 connection: one request after the other, each with its deadline, until one side has enough.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::StatusCode;
use pingora::server::ShutdownWatch;

use super::{Context, Door, serve, unreadable};
use crate::{
    exchange::{BodySize, Connection, Downstream, h1::Http1, socket::Socket},
    fault::{ClientFault, Fault},
    gateway::{Gateway, stopping},
    idle::Idle,
    wire::{RequestHead, request::parse},
    within::within,
};

/// How long a draining gateway still listens on an idle connection.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    door: Door,
    socket: Socket,
    connection: Arc<Connection>,
    shutdown: &ShutdownWatch,
) {
    let mut snapshot = gateway.snapshot();
    let mut http1 = Http1::new(socket, snapshot.deadlines);
    let mut watch = shutdown.clone();
    let mut draining = Draining { begins: Box::pin(async { stopping(&mut watch).await }), has_begun: false };
    let mut idle = Idle::new(snapshot.settings.limits.idle_timeout.get());
    let mut left = snapshot.settings.limits.requests_per_connection.max(1);
    loop {
        idle.set_limit(snapshot.settings.limits.idle_timeout.get());
        if http1.input.is_empty() && !next_request(&mut http1, &mut idle, &mut draining).await {
            Box::pin(http1.close()).await;
            return;
        }
        // Each request is answered under the settings that are in force when it begins.
        snapshot = gateway.snapshot();
        let arrived = Instant::now();
        let limit = snapshot.settings.limits.head_timeout.get();
        let head = match within(limit, read_head(&mut http1, &snapshot.head_limits)).await {
            Ok(Ok(Some(head))) => head,
            Ok(Ok(None)) => return,
            Ok(Err(fault)) => return Box::pin(refuse(http1, &fault, gateway, &connection)).await,
            Err(_) => {
                return Box::pin(refuse(http1, &ClientFault::SlowHead.into(), gateway, &connection)).await;
            }
        };
        left -= 1;
        let keep_alive = head.keep_alive() && left > 0 && !*shutdown.borrow();
        http1.begin(&head, keep_alive, snapshot.deadlines);
        let context = Context { gateway, snapshot: &snapshot, door, shutdown };
        // Boxed, as is all that an idle connection does not need: it would hold room for it otherwise.
        Box::pin(serve(&context, &connection, head, Downstream::Http1(&mut http1), arrived)).await;
        if !http1.ready_for_next().await {
            Box::pin(http1.close()).await;
            return;
        }
    }
}

/// Waits for a request; `false` when none comes. A draining gateway does not shut idle connections at once:
/// a request may be on its way, and is answered with `Connection: close`.
async fn next_request(http1: &mut Http1, idle: &mut Idle, draining: &mut Draining<'_>) -> bool {
    let mut more = pin!(http1.first_bytes());
    poll_fn(|cx| {
        if let Poll::Ready(more) = more.as_mut().poll(cx) {
            idle.interrupt();
            return Poll::Ready(matches!(more, Ok(true)));
        }
        if !draining.has_begun && draining.begins.as_mut().poll(cx).is_ready() {
            draining.has_begun = true;
            idle.shorten(DRAIN_WAIT);
        }
        if idle.is_over(cx) { Poll::Ready(false) } else { Poll::Pending }
    })
    .await
}

/// Watches for the end of the gateway, for a whole connection: looking again costs less than beginning to look.
struct Draining<'c> {
    begins: Pin<Box<dyn Future<Output = ()> + Send + 'c>>,
    has_begun: bool,
}

/// One head; `None` when the client left before it was complete.
async fn read_head(
    http1: &mut Http1,
    limits: &crate::wire::HeadLimits,
) -> Result<Option<RequestHead>, Fault> {
    loop {
        if let Some((head, taken)) = parse(&http1.input, limits).map_err(ClientFault::Malformed)? {
            let _ = http1.input.split_to(taken);
            return Ok(Some(head));
        }
        if !matches!(http1.fill().await, Ok(true)) {
            return Ok(None);
        }
    }
}

/// Says why a head was not understood, and ends the connection: where the next one would begin is not known.
async fn refuse(mut http1: Http1, fault: &Fault, gateway: &Gateway, connection: &Connection) {
    let (status, fields, body) = unreadable(gateway, connection, fault);
    http1.close_after();
    http1.write_head(status, &fields, BodySize::Known(body.len() as u64));
    let written = async {
        http1.write_body(&body).await?;
        http1.finish().await
    };
    if written.await.is_ok() || status == StatusCode::REQUEST_TIMEOUT {
        Box::pin(http1.close()).await;
    }
}
