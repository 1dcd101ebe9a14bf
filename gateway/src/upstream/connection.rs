//! Connections to servers: made, kept while idle, checked before they are used again.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Address;
use crate::fault::UpstreamFault;

/// What an upstream's servers want on a fresh connection before a request.
#[derive(Clone)]
pub(crate) enum Dial {
    Plain,
    Tls { config: Arc<ClientConfig>, name: ServerName<'static> },
}

#[derive(Debug)]
pub(crate) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<Connection>>),
}

impl Connection {
    pub(crate) async fn open(address: &Address, dial: &Dial, limit: Duration) -> Result<Self, UpstreamFault> {
        let connected = timeout(limit, async {
            let connection = match address {
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Connection::Tcp(stream)
                }
                Address::Unix(path) => Connection::Unix(UnixStream::connect(path).await?),
            };
            match dial {
                Dial::Plain => Ok(connection),
                Dial::Tls { config, name } => {
                    let tls = TlsConnector::from(config.clone()).connect(name.clone(), connection);
                    Ok(Connection::Tls(Box::new(Box::pin(tls).await?)))
                }
            }
        });
        match connected.await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(UpstreamFault::Refused(plain_words(&error))),
            Err(_) => Err(UpstreamFault::ConnectTimeout),
        }
    }

    /// SECURITY: response mix-up. A connection on which the server closed, or sent something nobody
    /// asked for, must not carry another client's request.
    fn is_quiet(&mut self) -> bool {
        let mut scratch = [0u8; 1];
        let read = match self {
            Connection::Tcp(stream) => stream.try_read(&mut scratch),
            Connection::Unix(stream) => stream.try_read(&mut scratch),
            // What TLS says for itself (a session ticket) is no answer to anybody.
            Connection::Tls(stream) => {
                let mut context = Context::from_waker(Waker::noop());
                return Pin::new(stream)
                    .poll_read(&mut context, &mut ReadBuf::new(&mut scratch))
                    .is_pending();
            }
        };
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Writes all of `data` and sees it off: under TLS written bytes may still wait for their record.
    pub(crate) async fn send(&mut self, data: &[u8]) -> io::Result<()> {
        self.write_all(data).await?;
        self.flush().await
    }
}

/// `Connection refused` instead of `Connection refused (os error 111)`.
pub(crate) fn plain_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_ascii_lowercase()
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Connection::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Connection::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Tcp(stream) => Pin::new(stream).poll_write(cx, data),
            Connection::Unix(stream) => Pin::new(stream).poll_write(cx, data),
            Connection::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Connection::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Connection::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Connection::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Connection::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Idle connections of one server, for each thread its own, the freshest on top: a socket is watched by the thread
/// that opened it, and waking another one costs more than a connection.
#[derive(Default)]
pub(crate) struct IdleConnections {
    shards: [Shard; SHARDS],
    kept: AtomicUsize,
}

type Shard = Mutex<Vec<(Connection, Instant)>>;

/// More threads than this share.
const SHARDS: usize = 16;

fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

fn lock(shard: &Shard) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdleConnections {
    /// One that is still good, if any.
    pub(crate) fn take(&self, idle_timeout: Duration) -> Option<Connection> {
        let shard = self.shards.get(own_shard())?;
        loop {
            let (mut connection, since) = lock(shard).pop()?;
            self.kept.fetch_sub(1, Relaxed);
            if since.elapsed() < idle_timeout && connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps it, unless so many of all threads are kept already.
    pub(crate) fn keep(&self, connection: Connection, at_most: usize) {
        if self.kept.load(Relaxed) < at_most
            && let Some(shard) = self.shards.get(own_shard())
        {
            self.kept.fetch_add(1, Relaxed);
            lock(shard).push((connection, Instant::now()));
        }
    }

    /// Closes what sat idle for too long.
    pub(crate) fn sweep(&self, idle_timeout: Duration) {
        for shard in &self.shards {
            let mut idle = lock(shard);
            let before = idle.len();
            idle.retain(|(_, since)| since.elapsed() < idle_timeout);
            self.kept.fetch_sub(before - idle.len(), Relaxed);
        }
    }
}
