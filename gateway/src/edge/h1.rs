//! The HTTP/1.1 connection: one request after the other, each with its deadline, until one side has enough.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use pingora::server::ShutdownWatch;
use tokio::time::{sleep, timeout};

use super::{Context, Door, serve, unreadable};
use crate::{
    exchange::{BodySize, Connection, Downstream, h1::Http1, socket::Socket},
    fault::{ClientFault, Fault},
    gateway::{Gateway, stopping},
    wire::{
        RequestHead,
        request::{Parsed, parse},
    },
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
    let mut shutdown_seen = shutdown.clone();
    let mut left = snapshot.settings.limits.requests_per_connection.max(1);
    loop {
        let idle = snapshot.settings.limits.idle_timeout.get();
        if http1.input.is_empty() && !next_request(&mut http1, idle, &mut shutdown_seen).await {
            Box::pin(http1.close()).await;
            return;
        }
        // Each request is answered under the settings that are in force when it begins.
        snapshot = gateway.snapshot();
        let arrived = Instant::now();
        let limit = snapshot.settings.limits.head_timeout.get();
        let head = match timeout(limit, read_head(&mut http1, &snapshot.head_limits)).await {
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
async fn next_request(http1: &mut Http1, idle: Duration, shutdown: &mut ShutdownWatch) -> bool {
    let idle_or_draining = async {
        tokio::select! {
            () = sleep(idle) => {}
            () = stopping(shutdown) => sleep(DRAIN_WAIT.min(idle)).await,
        }
    };
    tokio::select! {
        biased;
        more = http1.first_bytes() => matches!(more, Ok(true)),
        () = idle_or_draining => false,
    }
}

/// One head; `None` when the client left before it was complete.
async fn read_head(
    http1: &mut Http1,
    limits: &crate::wire::HeadLimits,
) -> Result<Option<RequestHead>, Fault> {
    loop {
        match parse(&http1.input, limits).map_err(ClientFault::Malformed)? {
            Parsed::Complete(head, taken) => {
                let _ = http1.input.split_to(taken);
                return Ok(Some(*head));
            }
            Parsed::Partial => {}
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
