//! Bytes both ways until one side ends, nothing moves for too long, or the gateway drains.

use std::{pin::pin, time::Duration};

use bytes::{Bytes, BytesMut};
use pingora::server::ShutdownWatch;
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::frames::FrameTracker;
use crate::{
    exchange::{h2::Http2, socket::Socket},
    gateway::stopping,
    idle::Idle,
    upstream::connection::Connection,
    within::within,
};

/// One direction's buffer. WebSocket messages are small; big ones take several turns.
const BUFFER: usize = 8 * 1024;
/// For a peer to take what is sent to it; a reader that stalls longer is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Between our Close and the end of the connection.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Close frame, code 1012 "service restart": clients reconnect elsewhere.
const CLOSE_RESTART: [u8; 4] = [0x88, 0x02, 0x03, 0xf4];

#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) from_client: u64,
    pub(super) from_service: u64,
}

/// The side towards the client: a whole connection, or one stream of it.
pub(super) enum Client<'c> {
    Http1(&'c mut Socket),
    Http2(&'c mut Http2),
}

impl Client<'_> {
    /// Appends what comes; `false` at the end. Safe to drop and call again.
    async fn receive(&mut self, into: &mut BytesMut) -> bool {
        match self {
            Client::Http1(socket) => matches!(socket.read_buf(into).await, Ok(size) if size > 0),
            Client::Http2(stream) => match stream.receive().await {
                Some(data) => {
                    into.extend_from_slice(&data);
                    true
                }
                None => false,
            },
        }
    }

    async fn send(&mut self, data: &[u8]) -> bool {
        match self {
            Client::Http1(socket) => send(socket, data).await,
            Client::Http2(stream) => stream.write_body(Bytes::copy_from_slice(data)).await.is_ok(),
        }
    }

    async fn end(&mut self) {
        match self {
            Client::Http1(socket) => {
                let _ = timeout(CLOSE_LIMIT, socket.shutdown()).await;
            }
            Client::Http2(stream) => {
                let _ = stream.finish().await;
            }
        }
    }
}

pub(super) async fn run(
    mut client: Client<'_>,
    client_early: BytesMut,
    mut service: Connection,
    service_early: BytesMut,
    idle: Duration,
    shutdown: &ShutdownWatch,
) -> Moved {
    let mut moved = Moved::default();
    let mut frames = FrameTracker::default();
    let mut shutdown = shutdown.clone();
    moved.from_client += client_early.len() as u64;
    moved.from_service += service_early.len() as u64;
    frames.advance(&service_early);
    if !send(&mut service, &client_early).await || !client.send(&service_early).await {
        return moved;
    }
    drop((client_early, service_early));

    let mut from_client = BytesMut::with_capacity(BUFFER);
    let mut from_service = BytesMut::with_capacity(BUFFER);
    // Both for the whole tunnel: a message must not pay for a new timer and a new watch.
    let mut idle = Idle::new(idle);
    let mut draining = pin!(stopping(&mut shutdown));
    loop {
        tokio::select! {
            more = client.receive(&mut from_client) => {
                if !more {
                    // Tell the service that nobody is left, and take no more from it.
                    let _ = timeout(CLOSE_LIMIT, service.shutdown()).await;
                    client.end().await;
                    return moved;
                }
                moved.from_client += from_client.len() as u64;
                if !send(&mut service, &from_client).await {
                    return moved;
                }
                from_client.clear();
            }
            read = service.read_buf(&mut from_service) => {
                if !matches!(read, Ok(size) if size > 0) {
                    client.end().await;
                    return moved;
                }
                moved.from_service += from_service.len() as u64;
                frames.advance(&from_service);
                if !client.send(&from_service).await {
                    return moved;
                }
                from_service.clear();
            }
            () = &mut draining, if frames.at_boundary() => {
                close(&mut client).await;
                return moved;
            }
            () = idle.over() => return moved,
        }
        idle.interrupt();
    }
}

async fn send<W: AsyncWrite + Unpin>(to: &mut W, data: &[u8]) -> bool {
    if data.is_empty() {
        return true;
    }
    let sending = async {
        to.write_all(data).await?;
        to.flush().await
    };
    matches!(within(WRITE_LIMIT, sending).await, Ok(Ok(())))
}

/// Says 1012 and gives the client a moment to answer, so that it sees a close and not a cut.
async fn close(client: &mut Client<'_>) {
    let mut scratch = BytesMut::with_capacity(512);
    let goodbye = async {
        if client.send(&CLOSE_RESTART).await {
            while client.receive(&mut scratch).await {
                scratch.clear();
            }
        }
    };
    let _ = timeout(CLOSE_LIMIT, goodbye).await;
    client.end().await;
}
