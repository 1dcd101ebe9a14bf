//! A service behind the gateway: answers, misbehaves on order, and remembers every byte it was sent.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What a service got, head and body.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).into_iter().next()
    }

    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

type Answer = dyn Fn(&Got) -> Vec<u8> + Send + Sync;

struct Inner {
    tls: Option<TlsAcceptor>,
    answer: Box<Answer>,
    healthy: AtomicBool,
    requests: Mutex<Vec<Got>>,
    connections: AtomicUsize,
    given_up: AtomicUsize,
}

/// A running service; dropped, its port refuses connections and open ones are cut.
pub(crate) struct Service {
    pub(crate) port: u16,
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

/// Instead of an answer: none comes, and the connection stays open.
pub(crate) const NEVER: &[u8] = b"never";

/// `HTTP/1.1 200 OK` with this body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

impl Service {
    /// A service that answers 200 with its port's number.
    pub(crate) async fn start() -> Self {
        Self::on(0).await
    }

    pub(crate) async fn on(port: u16) -> Self {
        let listener = bind(port).await;
        let port = listener.local_addr().unwrap().port();
        Self::with(listener, None, move |_| ok(&port.to_string()))
    }

    /// A service that answers 200 with its address.
    pub(crate) async fn at(address: &str) -> Self {
        let listener = bind_at(address.parse().unwrap()).await;
        let text = listener.local_addr().unwrap().to_string();
        Self::with(listener, None, move |_| ok(&text))
    }

    /// A service that answers with these bytes.
    pub(crate) async fn answering(answer: impl Fn(&Got) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with(bind(0).await, None, answer)
    }

    /// As [`Service::answering`], over TLS.
    pub(crate) async fn over_tls(
        tls: TlsAcceptor,
        answer: impl Fn(&Got) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::with(bind(0).await, Some(tls), answer)
    }

    fn with(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&Got) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            tls,
            answer: Box::new(answer),
            healthy: AtomicBool::new(true),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
        });
        let shared = inner.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                shared.connections.fetch_add(1, SeqCst);
                let shared = shared.clone();
                connections.spawn(async move {
                    match &shared.tls {
                        None => converse(stream, &shared).await,
                        Some(tls) => {
                            // One that only looks whether somebody listens goes no further.
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, &shared).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port: address.port(), address, inner, accepting }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set_healthy(&self, healthy: bool) {
        self.inner.healthy.store(healthy, SeqCst);
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(SeqCst)
    }

    /// Requests that were never answered, and that the gateway waits for no more.
    pub(crate) fn given_up(&self) -> usize {
        self.inner.given_up.load(SeqCst)
    }

    /// Requests but health checks.
    pub(crate) fn requests(&self) -> Vec<Got> {
        self.inner.requests.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(crate) async fn bind(port: u16) -> TcpListener {
    bind_at(([127, 0, 0, 1], port).into()).await
}

async fn bind_at(address: SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1024).unwrap()
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, shared: &Inner) {
    let mut input = Vec::new();
    while let Some(got) = read_request(&mut stream, &mut input).await {
        if got.head.starts_with("GET /health ") {
            let answer = if shared.healthy.load(SeqCst) {
                ok(r#"{"status":"ok"}"#)
            } else {
                b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 57\r\n\r\n{\"status\":\"fail\",\"checks\":{\"database\":{\"status\":\"fail\"}}}".to_vec()
            };
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            return;
        }
        let answer = (shared.answer)(&got);
        shared.requests.lock().unwrap().push(got);
        if answer == NEVER {
            // Until the other side has enough.
            while stream.read_buf(&mut input).await.unwrap_or(0) > 0 {}
            shared.given_up.fetch_add(1, SeqCst);
            return;
        }
        if answer.is_empty() || stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if answer.starts_with(b"HTTP/1.0") {
            return;
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, input: &mut Vec<u8>) -> Option<Got> {
    let end = loop {
        if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&input[..end]).into_owned();
    input.drain(..end + 4);
    let mut got = Got { head, body: Vec::new() };
    if got.field("transfer-encoding").is_some() {
        loop {
            let line = read_until(stream, input, b"\r\n").await?;
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
            while input.len() < size + 2 {
                if stream.read_buf(input).await.ok()? == 0 {
                    return None;
                }
            }
            got.body.extend(input.drain(..size));
            input.drain(..2);
            if size == 0 {
                return Some(got);
            }
        }
    }
    let length: usize = got.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while input.len() < length {
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
    got.body = input.drain(..length).collect();
    Some(got)
}

async fn read_until<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut Vec<u8>,
    end: &[u8],
) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = input.windows(end.len()).position(|window| window == end) {
            return Some(input.drain(..at + end.len()).collect());
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}
