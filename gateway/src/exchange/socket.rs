//! A client's connection: TCP from Pingora's listener, plain or under rustls.
//!
//! It implements what Pingora asks of a stream, so that the same socket can go to its HTTP/2 loop. TLS is
//! ours (tokio-rustls over Pingora's TCP stream) because Pingora's own settings leave no room for
//! session tickets, client certificates that change at a reload, or handshake deadlines.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType, l4::stream::Stream as TcpStream, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::read_ahead::ReadAhead;
use crate::wire::{BodyGuard, frames::FrameWatch};

#[derive(Debug)]
pub(crate) struct Socket {
    io: Io,
    /// On HTTP/2: what the client sends is looked at for floods.
    frames: Option<FrameWatch>,
    /// While lent on HTTP/1.1: the body is read along.
    body: Option<BodyGuard>,
}

#[derive(Debug)]
enum Io {
    Plain(Box<TcpStream>),
    Tls(Box<TlsStream<ReadAhead<Box<TcpStream>>>>),
    /// Lent to Pingora, or closed there.
    Away,
}

impl Socket {
    /// Stands in for a socket that is lent.
    pub(crate) fn away() -> Self {
        Self { io: Io::Away, frames: None, body: None }
    }

    pub(crate) fn plain(tcp: Box<TcpStream>) -> Self {
        Self { io: Io::Plain(tcp), frames: None, body: None }
    }

    pub(crate) fn tls(tls: TlsStream<ReadAhead<Box<TcpStream>>>) -> Self {
        Self { io: Io::Tls(Box::new(tls)), frames: None, body: None }
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match &self.io {
            Io::Plain(tcp) => Some(tcp),
            Io::Tls(tls) => Some(tls.get_ref().0.get_ref()),
            Io::Away => None,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }

    pub(crate) fn speaks_http2(&self) -> bool {
        match &self.io {
            Io::Plain(_) | Io::Away => false,
            Io::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    pub(crate) fn guard_body(&mut self, guard: Option<BodyGuard>) {
        self.body = guard;
    }

    pub(crate) fn watch_frames(&mut self, watch: FrameWatch) {
        self.frames = Some(watch);
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(ended) = this.frames.as_mut().and_then(|watch| watch.poll_last_word(cx)) {
            return ended;
        }
        let before = buf.filled().len();
        let done = match &mut this.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Io::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Io::Away => Poll::Ready(Ok(())),
        };
        if let Poll::Ready(Ok(())) = &done {
            let came = buf.filled().get(before..).unwrap_or_default();
            if let Some(watch) = &mut this.frames {
                watch.advance(came);
            }
            if let Some(guard) = &mut this.body
                && let Err(bad) = guard.advance(came)
            {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, bad)));
            }
        }
        done
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, data),
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, data),
            Io::Away => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, data),
            Io::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, data),
            Io::Away => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Io::Away => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Io::Away => Poll::Ready(Ok(())),
        }
    }
}

#[async_trait::async_trait]
impl Shutdown for Socket {
    async fn shutdown(&mut self) {
        // The peer may be gone already, and then there is nobody to tell.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Socket {
    fn id(&self) -> UniqueIDType {
        self.tcp().map_or(-1, UniqueID::id)
    }
}

impl Ssl for Socket {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        match &self.io {
            Io::Plain(_) | Io::Away => None,
            Io::Tls(_) => Some(Arc::new(SslDigest::new("", "", None, None, Vec::new()))),
        }
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.speaks_http2() { ALPN::H2 } else { ALPN::H1 })
    }
}

impl GetTimingDigest for Socket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Socket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Socket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.tcp()?.get_socket_digest()
    }
}

impl Peek for Socket {}
