//! What must be refused, is, and never reaches a service.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    Gateway, LANES, Service, Stage,
    client::{connect, raw, status},
};

#[tokio::test]
async fn paths_that_climb_are_refused_in_every_encoding() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    std::fs::write(gateway.path("secret.txt"), "secret").unwrap();
    gateway.static_file(".env", "SECRET");
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/.%2e/secret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/..;/secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/api/../secret.txt",
        "/api/..%2f..%2fsecret.txt",
        "/secret.txt%00.html",
        "/.env",
        "/%2eenv",
        "//../secret.txt",
        "/./secret.txt",
        "/static/../../secret.txt",
    ] {
        let answer =
            raw(&gateway, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
                .await;
        assert!(matches!(status(&answer), 400 | 404), "{path}: {answer}");
        assert!(!answer.contains("secret\n") && !answer.contains("SECRET"), "{path}: {answer}");
    }
    assert_eq!(service.requests().len(), 0);
}

#[tokio::test]
async fn a_client_cannot_speak_for_the_gateway() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let answer = raw(
        &gateway,
        "GET /api/x HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 6.6.6.6\r\nx_forwarded_for: 6.6.6.6\r\n\
         forwarded: for=6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nx-forwarded-proto: http\r\nx-request-id: evil-evil\r\n\
         X-Auth-Subject: admin\r\nx-secret: 1\r\nconnection: close, x-secret, x-forwarded-for\r\nte: trailers\r\n\
         proxy-authorization: x\r\nupgrade: h2c\r\n\r\n",
    )
    .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let got = &service.requests()[0];
    assert_eq!(got.fields("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(got.field("x-forwarded-proto"), Some("https"));
    assert_ne!(got.field("x-request-id"), Some("evil-evil"));
    assert!(!got.head.contains("6.6.6.6"), "{}", got.head);
    for gone in
        ["x-real-ip", "x-auth-subject", "x-secret", "te", "proxy-authorization", "upgrade", "connection"]
    {
        assert_eq!(got.field(gone), None, "{gone} in {}", got.head);
    }
}

#[tokio::test]
async fn connections_that_drip_are_closed_on_time_and_slow_nobody() {
    let service = Service::start().await;
    let gateway = Gateway::with(
        &[&service],
        "",
        "\n[limits]\nhead_timeout = \"2s\"\nbody_timeout = \"2s\"\nconnections_per_address = 4000",
    )
    .await;
    let mut drips = tokio::task::JoinSet::new();
    for at in 0..2000 {
        // Some drip a request, some a TLS handshake.
        let (port, text): (u16, &[u8]) = match at % 3 {
            0 => (gateway.http, b"GET / HTTP/1.1\r\nhost: localhost\r\nx: "),
            1 => (gateway.http, b"X"),
            _ => (gateway.https, b"\x16\x03\x01\x10\x00\x01\x00\x0f\xfc\x03\x03"),
        };
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        drips.spawn(async move {
            let begun = Instant::now();
            for byte in text.iter().chain(std::iter::repeat(&b'x')) {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                let mut scratch = [0; 512];
                let wait = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut scratch)).await;
                if matches!(wait, Ok(Ok(0) | Err(_))) {
                    break;
                }
            }
            begun.elapsed()
        });
    }
    let client = gateway.client();
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(client.get(gateway.url("/api")).send().await.unwrap().status(), 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    while let Some(lasted) = drips.join_next().await {
        let lasted = lasted.unwrap();
        assert!(lasted < Duration::from_secs(15), "a dripping connection lived {lasted:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let service =
        Service::answering(|got| crate::support::service::ok(got.head.lines().next().unwrap())).await;
    let gateway = Gateway::before(&[&service]).await;
    let answer = raw(
        &gateway,
        "GET /api/1 HTTP/1.1\r\nhost: localhost\r\n\r\n\
         POST /api/2 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi\
         GET /api/3 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    .await;
    let order: Vec<usize> =
        ["GET /api/1", "POST /api/2", "GET /api/3"].map(|line| answer.find(line).unwrap()).into();
    assert!(order.is_sorted(), "{answer}");
}

// ---- HTTP/2, frame by frame

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// `GET /api` as HPACK without a table.
fn get_block() -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    block.extend_from_slice(b"\x04\x04/api\x01\x09localhost");
    block
}

/// Sends the preface and then `piece` until the server ends the connection; true when it said GOAWAY.
async fn flood(gateway: &Gateway, mut piece: impl FnMut(u32) -> Vec<u8>) -> bool {
    let stream = connect(gateway, &[b"h2"]).await;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        let mut scratch = vec![0; 64 * 1024];
        let mut goaway = false;
        while let Ok(size) = reading.read(&mut scratch).await {
            if size == 0 {
                break;
            }
            seen.extend_from_slice(&scratch[..size]);
            while seen.len() >= 9 {
                let length = u32::from_be_bytes([0, seen[0], seen[1], seen[2]]) as usize;
                if seen.len() < 9 + length {
                    break;
                }
                goaway |= seen[3] == 7;
                seen.drain(..9 + length);
            }
        }
        goaway
    });
    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    hello.extend(frame(4, 0, 0, &[]));
    writing.write_all(&hello).await.unwrap();
    let begun = Instant::now();
    for number in 0.. {
        if writing.write_all(&piece(number)).await.is_err()
            || writing.flush().await.is_err()
            || reader.is_finished()
        {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the flood was endured");
    }
    reader.await.unwrap()
}

async fn assert_flood_ends(name: &str, piece: impl FnMut(u32) -> Vec<u8>) {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let before = gateway.memory_kib();
    assert!(flood(&gateway, piece).await, "{name}: no GOAWAY");
    let after = gateway.memory_kib();
    assert!(after < before + 64 * 1024, "{name}: memory grew from {before} to {after} KiB");
    assert_eq!(gateway.client().get(gateway.url("/api")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    assert_flood_ends("rapid reset", |number| {
        let stream = number * 2 + 1;
        let mut pair = frame(1, 5, stream, &get_block());
        pair.extend(frame(3, 0, stream, &8u32.to_be_bytes()));
        pair
    })
    .await;
}

#[tokio::test]
async fn continuation_floods_end_the_connection() {
    assert_flood_ends("continuation", |number| match number {
        0 => frame(1, 0, 1, &get_block()),
        _ => frame(9, 0, 1, &[0x00, 0x01, b'x', 0x7f, 0x80, 0x01]),
    })
    .await;
}

#[tokio::test]
async fn ping_and_settings_floods_end_the_connection() {
    assert_flood_ends("ping", |_| frame(6, 0, 0, &[0; 8]).repeat(20)).await;
    assert_flood_ends("settings", |_| frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(20)).await;
}

#[tokio::test]
async fn floods_of_priorities_and_empty_frames_end_the_connection() {
    assert_flood_ends("priority", |_| frame(2, 0, 1, &[0, 0, 0, 0, 16]).repeat(20)).await;
    assert_flood_ends("empty data", |number| match number {
        0 => frame(1, 4, 1, &get_block()),
        _ => frame(0, 0, 1, &[]).repeat(20),
    })
    .await;
}

/// A field as HPACK without a table and without Huffman's code (RFC 7541 section 6.2.2).
fn literal(name: &str, value: &[u8]) -> Vec<u8> {
    let length = |length: usize| {
        assert!(length < 127, "one byte says it");
        length as u8
    };
    let mut field = vec![0, length(name.len())];
    field.extend_from_slice(name.as_bytes());
    field.push(length(value.len()));
    field.extend_from_slice(value);
    field
}

/// What is wrong, the fields, and the body.
type Malformed<'p> = (&'static str, Vec<(&'p str, &'p [u8])>, &'static [u8]);

/// Header blocks, and the body behind each, that RFC 9113 section 8 calls malformed, or that mean two things to an
/// HTTP/1.1 service.
fn malformed(path: &str) -> Vec<Malformed<'_>> {
    let path = path.as_bytes();
    let request = |more: &[(&'static str, &'static [u8])]| {
        let mut fields: Vec<(&str, &[u8])> =
            vec![(":method", b"POST"), (":scheme", b"https"), (":path", path), (":authority", b"localhost")];
        fields.extend_from_slice(more);
        fields
    };
    let with = |at: usize, value: &'static [u8]| {
        let mut fields = request(&[]);
        fields[at].1 = value;
        fields
    };
    vec![
        ("transfer-encoding", request(&[("transfer-encoding", b"chunked")]), b""),
        ("connection", request(&[("connection", b"close")]), b""),
        ("keep-alive", request(&[("keep-alive", b"5")]), b""),
        ("proxy-connection", request(&[("proxy-connection", b"close")]), b""),
        ("upgrade", request(&[("upgrade", b"websocket")]), b""),
        ("te", request(&[("te", b"gzip")]), b""),
        ("two hosts", request(&[("host", b"other")]), b""),
        ("a user in the authority", with(3, b"user@localhost"), b""),
        ("a path with a space", with(2, b"/a b"), b""),
        ("a path that does not begin", with(2, b"a"), b""),
        ("an empty path", with(2, b""), b""),
        ("a line break in the path", with(2, b"/a\r\nx: y"), b""),
        ("no method", request(&[])[1..].to_vec(), b""),
        ("two paths", request(&[(":path", b"/b")]), b""),
        ("an unknown pseudo field", request(&[(":protocol-of-mine", b"x")]), b""),
        ("an upper-case name", request(&[("X-A", b"y")]), b""),
        ("a line break in a value", request(&[("x-a", b"b\r\ntransfer-encoding: chunked")]), b""),
        ("NUL in a value", request(&[("x-a", b"b\0c")]), b""),
        ("a line break in a name", request(&[("x-a\r\nhost", b"b")]), b""),
        ("a space in a name", request(&[("x a", b"b")]), b""),
        ("two lengths", request(&[("content-length", b"5"), ("content-length", b"5")]), b"hello"),
        ("no number for a length", request(&[("content-length", b"+5")]), b"hello"),
        ("a body longer than announced", request(&[("content-length", b"3")]), b"hello"),
        ("a body shorter than announced", request(&[("content-length", b"9")]), b"hello"),
    ]
}

#[tokio::test]
async fn malformed_http2_requests_never_reach_a_service() {
    let stage = Stage::with("").await;
    for path in LANES.iter().chain(&["/"]) {
        for (what, fields, body) in malformed(path) {
            let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
            let mut stream = connect(&stage.gateway, &[b"h2"]).await;
            let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            hello.extend(frame(4, 0, 0, &[]));
            hello.extend(frame(1, if body.is_empty() { 5 } else { 4 }, 1, &block));
            if !body.is_empty() {
                hello.extend(frame(0, 1, 1, body));
            }
            stream.write_all(&hello).await.unwrap();
            stream.flush().await.unwrap();
            let ended = first_end(&mut stream).await;
            // HEADERS with a status of 4xx, RST_STREAM, or the end of the connection.
            assert!(
                matches!(ended, Some(End::Refused | End::Reset | End::Gone)),
                "{path}, {what}: {ended:?}"
            );
            // A service over HTTP/2 hears of what began well, and then that it was reset.
            let hears = path.starts_with("/full") && !body.is_empty();
            let asked = LANES.contains(path) && stage.reached(path) > 0;
            assert!(hears || !asked, "{path}, {what}: a service was asked");
        }
    }
    assert_eq!(stage.gateway.client().get(stage.gateway.url("/lean")).send().await.unwrap().status(), 200);
}

#[derive(Debug)]
enum End {
    Answered,
    Refused,
    Reset,
    Gone,
}

/// Whether a header block begins with a `:status` of 4xx: 400 and 404 stand in HPACK's table, the digits of others
/// follow its number for the name, most often in Huffman's code, where `4` is 011010.
fn is_refusal(block: &[u8]) -> bool {
    match block {
        [0x8c | 0x8d, ..] => true,
        [name, length, first, ..] if matches!(name & 0x3f, 8..=14) => {
            if length & 0x80 == 0 {
                *first == b'4'
            } else {
                first >> 2 == 0b01_1010
            }
        }
        _ => false,
    }
}

/// How the first stream ends, frame by frame; `None` when it does not.
async fn first_end<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Option<End> {
    let reading = async {
        loop {
            let mut header = [0; 9];
            if stream.read_exact(&mut header).await.is_err() {
                return End::Gone;
            }
            let mut payload = vec![0; u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize];
            if stream.read_exact(&mut payload).await.is_err() {
                return End::Gone;
            }
            match header[3] {
                1 if is_refusal(&payload) => return End::Refused,
                1 => return End::Answered,
                3 => return End::Reset,
                7 => return End::Gone,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.ok()
}
