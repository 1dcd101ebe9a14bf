//! A service that speaks HTTP/2 and ends its answers in trailers, as gRPC services do.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Response, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use super::service::bind;

struct Inner {
    port: u16,
    healthy: AtomicBool,
    requests: Mutex<Vec<Parts>>,
    given_up: AtomicUsize,
}

/// A running service; dropped, its port refuses connections and open ones are cut.
pub(crate) struct Http2Service {
    pub(crate) port: u16,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

impl Http2Service {
    /// Answers with its port's number and the length of the body, once it has that; `/…/echo` sends back each piece as it
    /// comes, `/…/reset` cuts the stream, `/…/cut` does so within the answer, `/…/never` says nothing.
    pub(crate) async fn start() -> Self {
        Self::with(None).await
    }

    /// As [`Http2Service::start`], over TLS.
    pub(crate) async fn over_tls(tls: TlsAcceptor) -> Self {
        Self::with(Some(tls)).await
    }

    async fn with(tls: Option<TlsAcceptor>) -> Self {
        let listener = bind(0).await;
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner {
            port,
            healthy: AtomicBool::new(true),
            requests: Mutex::default(),
            given_up: AtomicUsize::new(0),
        });
        let shared = inner.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, shared) = (tls.clone(), shared.clone());
                connections.spawn(async move {
                    match tls {
                        None => converse(stream, shared).await,
                        Some(tls) => {
                            // One that only looks whether somebody listens goes no further.
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, shared).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, inner, accepting }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn set_healthy(&self, healthy: bool) {
        self.inner.healthy.store(healthy, SeqCst);
    }

    /// Requests that were never answered, and that the gateway waits for no more.
    pub(crate) fn given_up(&self) -> usize {
        self.inner.given_up.load(SeqCst)
    }

    /// Requests but health checks.
    pub(crate) fn requests(&self) -> Vec<Parts> {
        self.inner.requests.lock().unwrap().clone()
    }
}

impl Drop for Http2Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: Arc<Inner>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let shared = shared.clone();
        streams.spawn(async move {
            // A gateway that went away is no failure here.
            let _ = answer(head, body, respond, &shared).await;
        });
    }
}

async fn answer(
    head: Parts,
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    shared: &Inner,
) -> Result<(), h2::Error> {
    let path = head.uri.path().to_owned();
    if path == "/health" {
        let (status, text) = if shared.healthy.load(SeqCst) {
            (200, r#"{"status":"ok"}"#)
        } else {
            (503, r#"{"status":"fail","checks":{"database":{"status":"fail"}}}"#)
        };
        let response = Response::builder().status(status).body(()).unwrap();
        return respond.send_response(response, false)?.send_data(text.into(), true);
    }
    shared.requests.lock().unwrap().push(head);
    if path.ends_with("/never") {
        // Until the other side has enough.
        let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
        shared.given_up.fetch_add(1, SeqCst);
        return Ok(());
    }
    if path.ends_with("/cut") {
        let response = Response::builder().header("content-length", "100").body(()).unwrap();
        let mut sending = respond.send_response(response, false)?;
        sending.send_data("abc".into(), false)?;
        sending.send_reset(h2::Reason::INTERNAL_ERROR);
        return Ok(());
    }
    if path.ends_with("/reset") {
        respond.send_reset(h2::Reason::INTERNAL_ERROR);
        return Ok(());
    }
    let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut sending = None;
    if path.ends_with("/echo") {
        sending = Some(respond.send_response(response.clone(), false)?);
    }
    let mut length = 0;
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        length += piece.len();
        if let Some(sending) = &mut sending {
            sending.send_data(piece, false)?;
        }
    }
    let mut sending = match sending {
        Some(sending) => sending,
        None => {
            let mut sending = respond.send_response(response, false)?;
            sending.send_data(format!("{} {length}", shared.port).into(), false)?;
            sending
        }
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    sending.send_trailers(trailers)
}
