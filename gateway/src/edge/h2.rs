//! HTTP/2: Pingora runs the connection and gives one session per stream; we read the head and serve.

use std::{sync::Arc, time::Instant};

use pingora::{
    apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp},
    protocols::http::{
        ServerSession,
        v2::server::{H2Options, default_h2_options},
    },
    server::ShutdownWatch,
};

use tokio::sync::{Notify, watch};

use super::{Context, Door, serve, unreadable};
use crate::{
    exchange::{BodySize, Connection, Downstream, h2, socket::Socket},
    fault::ClientFault,
    gateway::{Gateway, stopping},
    wire::{Framing, RequestHead, frames::FrameWatch, request::Version},
};

/// Resets that the client may cause before we have accepted the stream, and resets of ours that are
/// remembered (CVE-2023-44487, CVE-2025-8671).
const PENDING_RESETS: usize = 50;

pub(crate) async fn run(
    gateway: &Arc<Gateway>,
    door: Door,
    mut socket: Socket,
    connection: Arc<Connection>,
    shutdown: &ShutdownWatch,
) {
    let snapshot = gateway.snapshot();
    let mut options = HttpServerOptions::default();
    // Pingora's default is to keep idle HTTP/2 connections for ever.
    options.h2_idle_timeout = Some(snapshot.settings.limits.idle_timeout.get());
    let peer = connection.peer;
    let app = Arc::new(Streams { gateway: gateway.clone(), door, connection, options });
    let flooded = Arc::new(Notify::new());
    socket.watch_frames(FrameWatch::new(snapshot.settings.limits.control_frames, flooded.clone()));
    // Pingora ends a connection (GOAWAY first) when this turns true: at the end of the process, or when
    // the client floods it.
    let (end, ending) = watch::channel(false);
    let mut shutdown = shutdown.clone();
    let relay = async {
        tokio::select! {
            () = stopping(&mut shutdown) => {}
            () = flooded.notified() => tracing::info!(peer = %peer, "HTTP/2 flood, connection ended"),
        }
        end.send_replace(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = app.process_new(Box::new(socket), &ending) => {}
        () = relay => {}
    }
}

/// What answers the streams of one connection.
struct Streams {
    gateway: Arc<Gateway>,
    door: Door,
    connection: Arc<Connection>,
    options: HttpServerOptions,
}

#[async_trait::async_trait]
impl HttpServerApp for Streams {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let arrived = Instant::now();
        let snapshot = self.gateway.snapshot();
        match h2::head(&mut session, &snapshot.head_limits) {
            Ok(head) => {
                let mut http2 = h2::Http2::new(session, &head, snapshot.deadlines);
                let context =
                    Context { gateway: &self.gateway, snapshot: &snapshot, door: self.door, shutdown };
                serve(&context, &self.connection, head, Downstream::Http2(&mut http2), arrived).await;
            }
            Err(cause) => {
                let fault = ClientFault::Malformed(cause).into();
                let (status, fields, body) = unreadable(&self.gateway, &self.connection, &fault);
                let mut http2 = h2::Http2::new(session, &nothing(), snapshot.deadlines);
                // A stream that is gone already needs no answer.
                let _ = async {
                    http2.write_head(status, &fields, BodySize::Known(body.len() as u64)).await?;
                    http2.write_body(body).await?;
                    http2.finish().await
                }
                .await;
            }
        }
        None
    }

    fn h2_options(&self) -> Option<H2Options> {
        let limits = &self.gateway.snapshot().settings.limits;
        let mut options = default_h2_options();
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
        Some(options)
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

/// Stands for a head that could not be read.
fn nothing() -> RequestHead {
    RequestHead {
        method: http::Method::GET,
        target: String::new(),
        authority: String::new(),
        version: Version::Http2,
        fields: crate::wire::Fields::default(),
        framing: Framing::None,
        extended_connect: false,
    }
}
