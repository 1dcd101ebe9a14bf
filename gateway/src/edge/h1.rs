//! The HTTP/1.1 connection: one request after the other, each with its deadline, until one side has enough.

use std::{sync::Arc, time::Instant};

use http::StatusCode;
use pingora::server::ShutdownWatch;
use tokio::time::timeout;

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
        if http1.input.is_empty() {
            // A connection without a request may be closed at any time; one with a request may not.
            let more = tokio::select! {
                more = timeout(idle, http1.fill()) => matches!(more, Ok(Ok(true))),
                () = stopping(&mut shutdown_seen) => false,
            };
            if !more {
                http1.close().await;
                return;
            }
        }
        // Each request is answered under the settings that are in force when it begins.
        snapshot = gateway.snapshot();
        let arrived = Instant::now();
        let limit = snapshot.settings.limits.head_timeout.get();
        let head = match timeout(limit, read_head(&mut http1, &snapshot.head_limits)).await {
            Ok(Ok(Some(head))) => head,
            Ok(Ok(None)) => return,
            Ok(Err(fault)) => return refuse(http1, &fault, gateway, &connection).await,
            Err(_) => return refuse(http1, &ClientFault::SlowHead.into(), gateway, &connection).await,
        };
        left -= 1;
        let keep_alive = head.keep_alive() && left > 0 && !*shutdown.borrow();
        http1.begin(&head, keep_alive, snapshot.deadlines);
        let context = Context { gateway, snapshot: &snapshot, door, shutdown };
        serve(&context, &connection, head, Downstream::Http1(&mut http1), arrived).await;
        if !http1.ready_for_next().await {
            http1.close().await;
            return;
        }
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
        http1.close().await;
    }
}
