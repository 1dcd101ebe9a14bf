//! What must be refused, is, and never reaches a service.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    Gateway, Service,
    client::{connect, raw, read_answer, read_to_close, status},
    until,
};

const SMUGGLED: &str = "GET /api/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn ambiguous_messages_are_refused_and_never_reach_a_service() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let long = "a".repeat(9000);
    let post =
        |lines: &str, body: &str| format!("POST /api HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n\r\n{body}");
    let cases: Vec<(String, u16)> = vec![
        (post("content-length: 5\r\ncontent-length: 5", "hello"), 400),
        (post("content-length: 5\r\ncontent-length: 6", "hello"), 400),
        (post("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"), 400),
        (post("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"), 400),
        (post("transfer-encoding: chunked, chunked", "0\r\n\r\n"), 400),
        (post("transfer-encoding: xchunked", "0\r\n\r\n"), 400),
        (post("transfer-encoding : chunked", "0\r\n\r\n"), 400),
        (post("transfer-encoding: gzip, chunked", "0\r\n\r\n"), 501),
        (post("content-length: -1", ""), 400),
        (post("content-length: 1_0", ""), 400),
        (post("x: a\r\n folded: b", ""), 400),
        (post("x: a\nb: c", ""), 400),
        (post("x: a\rb: c", ""), 400),
        (post("x: a\0b", ""), 400),
        (post("host: other", ""), 400),
        ("GET /api HTTP/1.1\r\n\r\n".into(), 400),
        ("GET /api HTTP/1.1\nhost: localhost\n\n".into(), 400),
        ("GET /api HTTP/3.0\r\nhost: localhost\r\n\r\n".into(), 505),
        ("GET /a b HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), 400),
        (format!("GET /api/{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), 414),
        (format!("GET /api HTTP/1.1\r\nhost: localhost\r\n{}\r\n", format!("x: {long}\r\n").repeat(5)), 431),
        (format!("GET /api HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(120)), 431),
        ("CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), 400),
        (post("expect: magic\r\ncontent-length: 1", "x"), 417),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
        ("\x16\x03\x01\x02\x00\x01\r\n\r\n".into(), 400),
    ];
    for (request, expected) in cases {
        // Whatever a confused reader would take for a second request must not become one.
        let answer = raw(&gateway, format!("{request}{SMUGGLED}")).await;
        let shown: String = request.chars().take(200).collect();
        assert_eq!(status(&answer), expected, "{shown:?}\n{answer}");
        assert_eq!(answer.matches("\r\ndate: ").count(), 1, "one answer, then the end: {shown:?}\n{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    assert_eq!(service.requests().len(), 0, "{:?}", service.requests());
}

#[tokio::test]
async fn bad_chunks_end_the_request_and_the_connection() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    for body in [
        "x\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello",
        "5\r\nhello\n0\r\n\r\n",
    ] {
        let answer = raw(
            &gateway,
            format!(
                "POST /api HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{body}{SMUGGLED}"
            ),
        )
        .await;
        assert_eq!(status(&answer), 400, "{body:?}\n{answer}");
        assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{body:?}\n{answer}");
    }
    let complete: Vec<_> = service.requests();
    assert!(complete.is_empty(), "{complete:?}");
}

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
async fn bodies_over_the_limit_are_refused_declared_or_not() {
    let service = Service::start().await;
    let gateway = Gateway::with(&[&service], "", "body = \"100KiB\"").await;
    let declared =
        raw(&gateway, "POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n").await;
    assert_eq!(status(&declared), 413, "{declared}");
    let chunk = format!("8000\r\n{}\r\n", "a".repeat(0x8000));
    let streamed = raw(
        &gateway,
        format!(
            "POST /api HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(6)
        ),
    )
    .await;
    assert_eq!(status(&streamed), 413, "{streamed}");
    let over_h2 = gateway.client().post(gateway.url("/api")).body(vec![0; 200_000]).send().await.unwrap();
    assert_eq!(over_h2.status(), 413);
    assert!(service.requests().is_empty());
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
async fn a_body_that_drips_is_ended_although_it_never_pauses_for_long() {
    let service = Service::start().await;
    let gateway = Gateway::with(&[&service], "", "\n[limits]\nbody_timeout = \"2s\"").await;
    let mut stream = connect(&gateway, &[b"http/1.1"]).await;
    stream.write_all(b"POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    let mut answer = [0; 12];
    loop {
        let wrote = stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok();
        let read = tokio::time::timeout(Duration::from_millis(300), stream.read_exact(&mut answer)).await;
        if read.is_ok() || !wrote {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "the dripping body was endured");
    }
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answer));
    assert!(service.requests().is_empty());
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
    let before = memory_kib(gateway.pid());
    assert!(flood(&gateway, piece).await, "{name}: no GOAWAY");
    let after = memory_kib(gateway.pid());
    assert!(after < before + 64 * 1024, "{name}: memory grew from {before} to {after} KiB");
    assert_eq!(gateway.client().get(gateway.url("/api")).send().await.unwrap().status(), 200);
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
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

#[tokio::test]
async fn http2_requests_with_connection_fields_are_refused() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let mut stream = connect(&gateway, &[b"h2"]).await;
    let mut block = get_block();
    block.extend_from_slice(b"\x00\x11transfer-encoding\x07chunked");
    let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    hello.extend(frame(4, 0, 0, &[]));
    hello.extend(frame(1, 5, 1, &block));
    stream.write_all(&hello).await.unwrap();
    let _ = tokio::time::timeout(Duration::from_millis(500), read_to_close(&mut stream)).await;
    assert!(service.requests().is_empty());
    until("the gateway to answer others", || async {
        let mut other = connect(&gateway, &[b"http/1.1"]).await;
        other.write_all(b"GET /api HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        status(&read_answer(&mut other).await) == 200
    })
    .await;
}
