//! The HTTP/2 connection: the h2 crate reads and writes its frames, each stream is a future, and all of them run in
//! the one task of the connection. So streams that become ready together are answered together, in one write.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use h2::{RecvStream, server::SendResponse};
use pingora::server::ShutdownWatch;
use tokio::{sync::Notify, time::timeout};

use super::{Context, Door, serve, unreadable};
use crate::{
    exchange::{
        BodySize, Connection, Downstream,
        gather::Gather,
        h2::{Http2, Stream, head},
        socket::Socket,
    },
    fault::ClientFault,
    gateway::{Gateway, stopping},
    idle::Idle,
    snapshot::Snapshot,
    wire::frames::FrameWatch,
};

/// Resets that the client may cause before we have accepted the stream, and resets of ours that are
/// remembered (CVE-2023-44487, CVE-2025-8671).
const PENDING_RESETS: usize = 50;
/// Requests that cannot be read; one connection with so many of them means ill.
const MALFORMED: usize = 32;
/// Between our GOAWAY to a connection that sat idle and its end.
const LAST_WORD: Duration = Duration::from_secs(1);

pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    door: Door,
    mut socket: Socket,
    connection: Arc<Connection>,
    shutdown: &ShutdownWatch,
) {
    let snapshot = gateway.snapshot();
    let limits = &snapshot.settings.limits;
    let flooded = Arc::new(Notify::new());
    socket.watch_frames(FrameWatch::new(limits.control_frames, flooded.clone()));
    let (socket, hold) = Gather::new(socket);
    let idle = limits.idle_timeout.get();
    let handshake = options(&snapshot).handshake::<_, Bytes>(socket);
    let Ok(Ok(frames)) = timeout(limits.head_timeout.get(), handshake).await else { return };
    drop(snapshot);

    let malformed = AtomicUsize::new(0);
    let mut stop = shutdown.clone();
    let ending = async {
        tokio::select! {
            () = stopping(&mut stop) => {}
            () = flooded.notified() => tracing::info!(peer = %connection.peer, "HTTP/2 flood, connection ended"),
        }
    };
    let mut ending = pin!(ending);
    let mut idle = Idle::new(idle);
    let mut frames = frames;
    let mut is_ending = false;
    let mut streams = FuturesUnordered::new();
    poll_fn(|cx| {
        if !is_ending && ending.as_mut().poll(cx).is_ready() {
            is_ending = true;
            frames.graceful_shutdown();
        }
        let mut is_held = false;
        loop {
            while let Poll::Ready(Some(())) = streams.poll_next_unpin(cx) {}
            let mut accepted = frames.poll_accept(cx);
            if accepted.is_pending() && is_held {
                hold.set(false);
                accepted = frames.poll_accept(cx);
            }
            match accepted {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    let stream = stream(gateway, door, &connection, shutdown, &malformed, request, respond);
                    streams.push(Box::pin(stream));
                    // Where one came there may be more: what they are answered waits, and leaves together.
                    is_held = true;
                    hold.set(true);
                }
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if malformed.load(Relaxed) >= MALFORMED {
            return Poll::Ready(());
        }
        if !streams.is_empty() {
            idle.interrupt();
        } else if idle.is_over(cx) {
            if is_ending {
                return Poll::Ready(());
            }
            is_ending = true;
            frames.graceful_shutdown();
            idle.restart(LAST_WORD);
            // Once more, so that the GOAWAY leaves.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    // With the connection gone each stream learns that nobody is there, and tells the log.
    drop(frames);
    while streams.next().await.is_some() {}
}

/// One request.
async fn stream(
    gateway: &Arc<Gateway>,
    door: Door,
    connection: &Arc<Connection>,
    shutdown: &ShutdownWatch,
    malformed: &AtomicUsize,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let arrived = Instant::now();
    let snapshot = gateway.snapshot();
    let (parts, body) = request.into_parts();
    let head = head(&parts, body.is_end_stream(), &snapshot.head_limits);
    drop(parts);
    let stream = Stream::new(body, respond);
    match head {
        Ok(head) => {
            let mut http2 = Http2::new(stream, Some(&head), snapshot.deadlines);
            let context = Context { gateway, snapshot: &snapshot, door, shutdown };
            serve(&context, connection, head, Downstream::Http2(&mut http2), arrived).await;
        }
        Err(cause) => {
            malformed.fetch_add(1, Relaxed);
            let (status, fields, body) =
                unreadable(gateway, connection, &ClientFault::Malformed(cause).into());
            let mut http2 = Http2::new(stream, None, snapshot.deadlines);
            // A stream that is gone already needs no answer.
            let _ = async {
                http2.write_head(status, fields, BodySize::Known(body.len() as u64))?;
                http2.write_body(body).await?;
                http2.finish().await
            }
            .await;
        }
    }
}

fn options(snapshot: &Snapshot) -> h2::server::Builder {
    let limits = &snapshot.settings.limits;
    let mut options = h2::server::Builder::new();
    options
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head.get()).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_concurrent_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(Some(PENDING_RESETS))
        // One window for the connection bounds what all its streams can make us hold.
        .initial_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buffer_size(256 * 1024);
    // RFC 8441: a WebSocket may be one stream of many instead of a connection of its own.
    options.enable_connect_protocol();
    options
}
