//! WebSockets through the gateway: handshakes under load, long silence, draining.

use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream, client::SendRequest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{
    Gateway,
    client::{connect, http2, read_answer, status},
};

pub(crate) const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: chat.v1.json, secret\r\n\r\n";

/// A service that answers `/health` and everything else with 101 and a first frame in one write, then
/// echoes.
pub(crate) async fn websocket_service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(converse(stream));
        }
    });
    port
}

/// A service that is well and takes no WebSocket: it is full, or about to stop.
async fn full_service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if head_of(&mut stream).await.is_some() {
                    let full =
                        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nx-why: full\r\n\r\nfull";
                    let _ = stream.write_all(full).await;
                }
            });
        }
    });
    port
}

/// The head of a request; a question for health is answered, and nothing more is to be done.
async fn head_of(stream: &mut TcpStream) -> Option<Vec<u8>> {
    stream.set_nodelay(true).unwrap();
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    if head.starts_with(b"GET /health") {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        return None;
    }
    Some(head)
}

async fn converse(mut stream: TcpStream) {
    let Some(mut head) = head_of(&mut stream).await else { return };
    if head.starts_with(b"GET /chat/refused") {
        let _ = stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nx-why: token\r\n\r\nno")
            .await;
        return;
    }
    if head.starts_with(b"GET /chat/never") || head.starts_with(b"GET /chat/stalls") {
        if head.starts_with(b"GET /chat/stalls") {
            let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\nno").await;
        }
        // Until the other side has enough.
        while stream.read_buf(&mut head).await.unwrap_or(0) > 0 {}
        return;
    }
    if !head.starts_with(b"GET /chat ") {
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        return;
    }
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat.v1.json\r\n\r\n"
        .to_vec();
    answer.extend_from_slice(b"\x81\x05hello");
    let _ = stream.write_all(&answer).await;
    let mut piece = [0; 4096];
    while let Ok(size) = stream.read(&mut piece).await {
        if size == 0 || stream.write_all(&piece[..size]).await.is_err() {
            return;
        }
    }
}

async fn gateway() -> Gateway {
    gateway_with("tunnel_idle = \"4s\"").await
}

/// With a line of the route.
async fn gateway_with(line: &str) -> Gateway {
    let port = websocket_service().await;
    Gateway::configured(&format!(
        "[upstream.chat]\nservers = [\"127.0.0.1:{port}\"]\n\n[[route]]\npath = \"/chat\"\nupstream = \"chat\"\n\
         {line}\n[shutdown]\ngrace = \"5s\"\n"
    ))
    .await
}

async fn ask(gateway: &Gateway, request: String) -> String {
    let mut stream = connect(gateway, &[b"http/1.1"]).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    read_answer(&mut stream).await
}

/// A WebSocket on one stream of an HTTP/2 connection.
struct OverHttp2 {
    sending: SendStream<Bytes>,
    receiving: RecvStream,
}

/// Extended CONNECT (RFC 8441 §5.1).
fn extended_connect(gateway: &Gateway, path: &str, protocol: &'static str) -> http::Request<()> {
    http::Request::connect(gateway.url(path))
        .extension(h2::ext::Protocol::from_static(protocol))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat.v1.json, secret")
        .header("origin", "https://localhost")
        .body(())
        .unwrap()
}

impl OverHttp2 {
    async fn open(gateway: &Gateway, client: &mut SendRequest<Bytes>) -> Self {
        let (answer, sending) =
            client.send_request(extended_connect(gateway, "/chat", "websocket"), false).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["sec-websocket-protocol"], "chat.v1.json");
        assert!(!answer.headers().contains_key("sec-websocket-accept"), "{answer:?}");
        Self { sending, receiving: answer.into_body() }
    }

    fn send(&mut self, data: &'static [u8]) {
        self.sending.send_data(Bytes::from_static(data), false).unwrap();
    }

    async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut seen = Vec::new();
        let reading = async {
            while !seen.ends_with(end) {
                let piece = self.receiving.data().await.expect("bytes").unwrap();
                self.receiving.flow_control().release_capacity(piece.len()).unwrap();
                seen.extend_from_slice(&piece);
            }
        };
        let done = timeout(Duration::from_secs(20), reading).await;
        assert!(done.is_ok(), "only {:?} came", String::from_utf8_lossy(&seen));
        seen
    }
}

/// Reads until what came ends in `end`.
pub(crate) async fn read_until<S: AsyncReadExt + Unpin>(stream: &mut S, end: &[u8]) -> Vec<u8> {
    let mut seen = Vec::new();
    let reading = async {
        while !seen.ends_with(end) {
            let mut piece = [0; 1024];
            let size = stream.read(&mut piece).await.expect("bytes");
            assert!(size > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..size]);
        }
    };
    let done = timeout(Duration::from_secs(20), reading).await;
    assert!(done.is_ok(), "only {:?} came", String::from_utf8_lossy(&seen));
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_handshakes_on_a_busy_machine_deliver_their_first_frame() {
    let gateway = gateway().await;
    // As many spinning threads as processors: whoever wins a race otherwise, does not here.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy: Vec<_> = (0..std::thread::available_parallelism().unwrap().get())
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let mut waves = tokio::task::JoinSet::new();
    let gateway = std::sync::Arc::new(gateway);
    for _ in 0..2 {
        let gateway = gateway.clone();
        waves.spawn(async move {
            let mut client = http2(&gateway).await;
            for _ in 0..250 {
                let mut socket = OverHttp2::open(&gateway, &mut client).await;
                socket.read_until(b"\x81\x05hello").await;
                socket.send(b"\x81\x02hi");
                socket.read_until(b"\x81\x02hi").await;
            }
        });
    }
    for _ in 0..6 {
        let gateway = gateway.clone();
        waves.spawn(async move {
            let config = std::sync::Arc::new(crate::support::client::tls_config(&gateway, &[b"http/1.1"]));
            for _ in 0..250 {
                let mut stream =
                    crate::support::client::connect_with(&gateway, (*config).clone()).await.unwrap();
                stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                let seen = read_until(&mut stream, b"\x81\x05hello").await;
                assert!(seen.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(&seen));
                stream.write_all(b"\x81\x02hi").await.unwrap();
                stream.flush().await.unwrap();
                read_until(&mut stream, b"\x81\x02hi").await;
            }
        });
    }
    while let Some(done) = waves.join_next().await {
        done.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for thread in busy {
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_refusal_of_the_service_reaches_the_client() {
    let gateway = gateway().await;
    let answer = ask(&gateway, HANDSHAKE.replace("/chat ", "/chat/refused ")).await;
    assert_eq!(status(&answer), 401, "{answer}");
    assert!(answer.contains("x-why: token") && answer.ends_with("no"), "{answer}");
}

#[tokio::test]
async fn a_server_that_is_full_leaves_the_client_to_another_and_is_heard_when_there_is_none() {
    let (full, other, too) = (full_service().await, websocket_service().await, full_service().await);
    let gateway = Gateway::configured(&format!(
        "[upstream.some]\nservers = [\"127.0.0.1:{full}\", \"127.0.0.1:{other}\"]\n\
         [upstream.none]\nservers = [\"127.0.0.1:{full}\", \"127.0.0.1:{too}\"]\n\
         [[route]]\npath = \"/chat\"\nupstream = \"some\"\n[[route]]\npath = \"/none\"\nupstream = \"none\"\n"
    ))
    .await;

    for _ in 0..6 {
        let mut stream = connect(&gateway, &[b"http/1.1"]).await;
        stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
        read_until(&mut stream, b"hello").await;
    }
    let refused = ask(&gateway, HANDSHAKE.replace("/chat ", "/none ")).await;
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(refused.contains("x-why: full") && refused.ends_with("full"), "{refused}");
}

#[tokio::test]
async fn broken_handshakes_are_refused_here() {
    let gateway = gateway().await;
    for (from, to) in [
        ("sec-websocket-version: 13", "sec-websocket-version: 8"),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "x: y"),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-key: short"),
        ("GET /chat", "POST /chat"),
        ("upgrade: websocket", "upgrade: websocket\r\ncontent-length: 3"),
    ] {
        let answer = ask(&gateway, HANDSHAKE.replace(from, to)).await;
        assert_eq!(status(&answer), 400, "{to}: {answer}");
    }
}

#[tokio::test]
async fn silence_ends_a_socket_at_its_own_limit_and_not_before() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway, &[b"http/1.1"]).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    read_until(&mut stream, b"hello").await;
    let mut byte = [0; 1];
    let begun = std::time::Instant::now();
    let ended = timeout(Duration::from_secs(15), stream.read(&mut byte)).await.expect("an end in time");
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// Pingora's proxy would end one after a minute, and so would the idle timeout of connections.
#[tokio::test]
async fn a_socket_that_is_silent_for_longer_than_a_minute_lives() {
    let gateway = gateway_with("").await;
    let mut stream = connect(&gateway, &[b"http/1.1"]).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    read_until(&mut stream, b"hello").await;
    let mut client = http2(&gateway).await;
    let mut socket = OverHttp2::open(&gateway, &mut client).await;
    socket.read_until(b"hello").await;
    tokio::time::sleep(Duration::from_secs(80)).await;
    stream.write_all(b"\x81\x02hi").await.unwrap();
    assert_eq!(read_until(&mut stream, b"hi").await, b"\x81\x02hi");
    socket.send(b"\x81\x02hi");
    assert_eq!(socket.read_until(b"hi").await, b"\x81\x02hi");
}

#[tokio::test]
async fn a_draining_gateway_says_1012_between_two_frames() {
    let mut gateway = gateway().await;
    let mut stream = connect(&gateway, &[b"http/1.1"]).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    read_until(&mut stream, b"hello").await;
    gateway.signal("TERM");
    let close = read_until(&mut stream, &[0x88, 0x02, 0x03, 0xf4]).await;
    assert_eq!(close, [0x88, 0x02, 0x03, 0xf4]);
    drop(stream);
    assert_eq!(gateway.ended().await, Some(0));
}

#[tokio::test]
async fn many_sockets_and_requests_share_one_http2_connection() {
    let gateway = gateway().await;
    let mut client = http2(&gateway).await;
    assert!(client.is_extended_connect_protocol_enabled(), "RFC 8441 §3: it is said in the settings");
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(OverHttp2::open(&gateway, &mut client).await);
    }
    for socket in &mut sockets {
        socket.read_until(b"hello").await;
        socket.send(b"\x81\x02hi");
    }
    for socket in &mut sockets {
        assert_eq!(socket.read_until(b"hi").await, b"\x81\x02hi");
    }
    let plain = http::Request::get(gateway.url("/health/live")).body(()).unwrap();
    assert_eq!(client.send_request(plain, true).unwrap().0.await.unwrap().status(), 200);
    // One that is closed by the client leaves the others alone.
    sockets.remove(0).sending.send_data(Bytes::new(), true).unwrap();
    sockets[0].send(b"\x81\x02ho");
    sockets[0].read_until(b"ho").await;
}

#[tokio::test]
async fn what_cannot_be_tunnelled_over_http2_is_refused() {
    let gateway = gateway().await;
    let mut client = http2(&gateway).await;
    for (path, protocol, expected) in
        [("/chat/refused", "websocket", 401), ("/chat", "connect-udp", 501), ("/", "websocket", 404)]
    {
        let request = extended_connect(&gateway, path, protocol);
        let (answer, _sending) = client.send_request(request, false).unwrap();
        assert_eq!(answer.await.unwrap().status(), expected, "{path} {protocol}");
    }
    let mut old = extended_connect(&gateway, "/chat", "websocket");
    old.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    let (answer, _sending) = client.send_request(old, false).unwrap();
    assert_eq!(answer.await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_draining_gateway_says_1012_over_http2_too() {
    let mut gateway = gateway().await;
    let mut client = http2(&gateway).await;
    let mut socket = OverHttp2::open(&gateway, &mut client).await;
    socket.read_until(b"hello").await;
    gateway.signal("TERM");
    assert_eq!(socket.read_until(&[0x88, 0x02, 0x03, 0xf4]).await, [0x88, 0x02, 0x03, 0xf4]);
    drop((socket, client));
    assert_eq!(gateway.ended().await, Some(0));
}

#[tokio::test]
async fn a_service_behind_tls_takes_sockets_too() {
    let inner = gateway().await;
    let outer = Gateway::configured(&format!(
        "[upstream.chat]\nservers = [\"127.0.0.1:{}\"]\nprotocol = \"https\"\ntls_name = \"localhost\"\ntls_root = {:?}\n\
         [[route]]\npath = \"/chat\"\nupstream = \"chat\"\n",
        inner.https,
        inner.path("data/tls/authority.pem")
    ))
    .await;
    let mut stream = connect(&outer, &[b"http/1.1"]).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    read_until(&mut stream, b"\x81\x05hello").await;
    let mut client = http2(&outer).await;
    let mut socket = OverHttp2::open(&outer, &mut client).await;
    socket.read_until(b"hello").await;
    socket.send(b"\x81\x02hi");
    socket.read_until(b"hi").await;
}

#[tokio::test]
async fn a_secret_in_the_handshake_is_not_logged() {
    let gateway = gateway().await;
    let mut stream = connect(&gateway, &[b"http/1.1"]).await;
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    read_until(&mut stream, b"hello").await;
    drop(stream);
    crate::support::until("the socket in the access log", || async {
        gateway.access_log().contains("\"status\":101")
    })
    .await;
    assert!(!gateway.access_log().contains("secret") && !gateway.log().contains("secret"));
}

#[tokio::test]
async fn a_service_that_does_not_answer_a_handshake_is_waited_for_as_the_route_says() {
    let port = websocket_service().await;
    let gateway = Gateway::configured(&format!(
        "[upstream.chat]\nservers = [\"127.0.0.1:{port}\"]\nretry = {{ attempts = 1 }}\n\
         [[route]]\npath = \"/chat\"\nupstream = \"chat\"\ntimeout = \"300ms\"\n"
    ))
    .await;
    let mut client = http2(&gateway).await;
    for path in ["/chat/never", "/chat/stalls"] {
        let answer = ask(&gateway, HANDSHAKE.replace("/chat ", &format!("{path} "))).await;
        assert_eq!(status(&answer), 504, "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
        let (answer, _sending) =
            client.send_request(extended_connect(&gateway, path, "websocket"), false).unwrap();
        assert_eq!(answer.await.unwrap().status(), 504, "{path}");
    }
}

#[tokio::test]
async fn a_handshake_that_a_dying_server_takes_along_goes_to_another_one() {
    // Healthy, but it closes what it is asked.
    let dying = crate::support::Service::answering(|_| Vec::new()).await;
    let port = websocket_service().await;
    let gateway = Gateway::configured(&format!(
        "[upstream.chat]\nservers = [{:?}, \"127.0.0.1:{port}\"]\nejection = {{ failures = 0 }}\n\
         health = {{ interval = \"1h\" }}\n[[route]]\npath = \"/chat\"\nupstream = \"chat\"\n",
        dying.address()
    ))
    .await;
    gateway.until_server_is(&dying.address(), "up").await;
    gateway.until_server_is(&format!("127.0.0.1:{port}"), "up").await;
    let mut client = http2(&gateway).await;
    // As many tries again as a quiet gateway has saved up.
    for _ in 0..5 {
        let mut stream = connect(&gateway, &[b"http/1.1"]).await;
        stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
        read_until(&mut stream, b"\x81\x05hello").await;
        OverHttp2::open(&gateway, &mut client).await.read_until(b"hello").await;
    }
    assert!(!dying.requests().is_empty());
}

#[tokio::test]
async fn open_sockets_keep_no_request_out() {
    let port = websocket_service().await;
    let gateway = Gateway::configured(&format!(
        "[upstream.chat]\nservers = [\"127.0.0.1:{port}\"]\nmax_in_flight = 2\nmax_pending = 0\n\
         [[route]]\npath = \"/chat\"\nupstream = \"chat\"\n"
    ))
    .await;
    let mut client = http2(&gateway).await;
    let (mut plain, mut framed) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut stream = connect(&gateway, &[b"http/1.1"]).await;
        stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
        read_until(&mut stream, b"\x81\x05hello").await;
        plain.push(stream);
        framed.push(OverHttp2::open(&gateway, &mut client).await);
    }
    let request = gateway.client().get(gateway.url("/chat/rooms")).send().await.unwrap();
    assert_eq!(request.status(), 204);
    let server = gateway.state().await["upstreams"][0]["servers"][0]["in_flight"].clone();
    assert_eq!(server, 8, "they are load of their server");
}
