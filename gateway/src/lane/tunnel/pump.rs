//! Bytes both ways until one side ends, nothing moves for too long, or the gateway drains.

use std::time::Duration;

use bytes::BytesMut;
use pingora::server::ShutdownWatch;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::frames::FrameTracker;
use crate::{gateway::stopping, upstream::connection::Connection};

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

pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut S,
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
    if !send(&mut service, &client_early).await || !send(client, &service_early).await {
        return moved;
    }
    drop((client_early, service_early));

    let mut from_client = BytesMut::with_capacity(BUFFER);
    let mut from_service = BytesMut::with_capacity(BUFFER);
    let deadline = tokio::time::sleep(idle);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            read = client.read_buf(&mut from_client) => {
                if !matches!(read, Ok(size) if size > 0) {
                    // Tell the service that nobody is left, and take no more from it.
                    let _ = timeout(CLOSE_LIMIT, service.shutdown()).await;
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
                    let _ = timeout(CLOSE_LIMIT, client.shutdown()).await;
                    return moved;
                }
                moved.from_service += from_service.len() as u64;
                frames.advance(&from_service);
                if !send(client, &from_service).await {
                    return moved;
                }
                from_service.clear();
            }
            () = stopping(&mut shutdown), if frames.at_boundary() => {
                close(client).await;
                return moved;
            }
            () = &mut deadline => return moved,
        }
        deadline.as_mut().reset(Instant::now() + idle);
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
    matches!(timeout(WRITE_LIMIT, sending).await, Ok(Ok(())))
}

/// Says 1012 and gives the client a moment to answer, so that it sees a close and not a cut.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(client: &mut S) {
    let mut scratch = [0; 512];
    let goodbye = async {
        client.write_all(&CLOSE_RESTART).await?;
        client.flush().await?;
        while client.read(&mut scratch).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = timeout(CLOSE_LIMIT, goodbye).await;
    let _ = timeout(CLOSE_LIMIT, client.shutdown()).await;
}
