//! What holds on every lane and over both protocols: files, services over HTTP/1.1 in the clear and over TLS, services
//! over HTTP/2.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::support::{
    Gateway, LANES, Stage,
    client::{connect, http2, raw, status},
    stage::Behind,
};

async fn over_http2(
    gateway: &Gateway,
    request: Request<()>,
    body: Option<Vec<u8>>,
) -> http::Response<h2::RecvStream> {
    let mut client = http2(gateway).await;
    let (answer, mut sending) = client.send_request(request, body.is_none()).unwrap();
    if let Some(body) = body {
        // The answer may come, and the stream end, before all of it is taken.
        let _ = sending.send_data(body.into(), true);
    }
    timeout(Duration::from_secs(20), answer).await.expect("an answer in time").unwrap()
}

const SMUGGLED: &str = "GET /lean/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn ambiguous_messages_are_refused_and_never_reach_a_service() {
    let stage = Stage::with("").await;
    let paths = LANES.iter().chain(&["/", "/moved"]);
    for path in paths {
        for (request, expected) in ambiguous(path) {
            // Whatever a confused reader would take for a second request must not become one.
            let answer = raw(&stage.gateway, format!("{request}{SMUGGLED}")).await;
            let shown: String = request.chars().take(200).collect();
            assert_eq!(status(&answer), expected, "{shown:?}\n{answer}");
            assert_eq!(
                answer.matches("\r\ndate: ").count(),
                1,
                "one answer, then the end: {shown:?}\n{answer}"
            );
            assert!(answer.contains("connection: close"), "{answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
        }
    }
    assert_eq!(stage.reached_in_all(), 0);
}

/// Heads that two readers could read differently, and what each is answered.
fn ambiguous(path: &str) -> Vec<(String, u16)> {
    let long = "a".repeat(9000);
    let post =
        |lines: &str, body: &str| format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n\r\n{body}");
    vec![
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
        (format!("GET {path} HTTP/1.1\r\n\r\n"), 400),
        (format!("GET {path} HTTP/1.1\nhost: localhost\n\n"), 400),
        (format!("GET {path} HTTP/3.0\r\nhost: localhost\r\n\r\n"), 505),
        ("GET /a b HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), 400),
        (format!("GET {path}/{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), 414),
        (
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\n", format!("x: {long}\r\n").repeat(5)),
            431,
        ),
        (format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(120)), 431),
        ("CONNECT localhost:1 HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), 400),
        (post("expect: magic\r\ncontent-length: 1", "x"), 417),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
        ("\x16\x03\x01\x02\x00\x01\r\n\r\n".into(), 400),
    ]
}

/// Chunked bodies that mean different things to different readers (RFC 9112 section 7.1).
const BAD_CHUNKS: [&str; 8] = [
    "x\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello",
    "5\r\nhello\n0\r\n\r\n",
    "0\r\nno colon\r\n\r\n",
];

fn chunked_post(lane: &str) -> String {
    format!("POST {lane} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
}

#[tokio::test]
async fn bad_chunks_are_refused() {
    let stage = Stage::with("").await;
    for lane in LANES {
        for body in BAD_CHUNKS {
            let head = chunked_post(lane);
            let smuggled = format!("GET {lane}/smuggled HTTP/1.1\r\nhost: a\r\n\r\n");
            let answer = raw(&stage.gateway, format!("{head}{body}{smuggled}")).await;
            assert_eq!(status(&answer), 400, "{lane} {body:?}\n{answer}");
            assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{lane} {body:?}\n{answer}");
            assert!(answer.contains("malformed-body") && answer.contains("x-request-id: "), "{answer}");
            assert_eq!(stage.reached(lane), 0, "{lane} {body:?}");
        }
    }
}

#[tokio::test]
async fn bad_chunks_are_refused_long_after_the_head() {
    let stage = Stage::with("").await;
    for lane in LANES {
        for body in BAD_CHUNKS {
            let head = chunked_post(lane);
            let mut stream = connect(&stage.gateway, &[b"http/1.1"]).await;
            stream.write_all(format!("{head}3\r\nabc\r\n").as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
            stream.write_all(body.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let answer = crate::support::client::read_to_close(&mut stream).await;
            assert!(matches!(status(&answer), 400 | 0), "{lane} {body:?}\n{answer}");
        }
    }
    // What began before it was bad is cut on its way, and is no request to anybody. Over HTTP/2 a service hears of it,
    // and that it was reset.
    assert_eq!((stage.reached("/lean"), stage.reached("/tls")), (0, 0));
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_declared_or_not() {
    let stage = Stage::with("").await;
    for lane in LANES {
        let declared = format!("POST {lane} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n");
        assert_eq!(status(&raw(&stage.gateway, declared).await), 413, "{lane}");
        let chunk = format!("8000\r\n{}\r\n", "a".repeat(0x8000));
        let head = format!("POST {lane} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
        let streamed = raw(&stage.gateway, format!("{head}{}0\r\n\r\n", chunk.repeat(6))).await;
        assert_eq!(status(&streamed), 413, "{lane}: {streamed}");
        for length in [Some("200000"), None] {
            let mut request = Request::post(stage.gateway.url(lane));
            if let Some(length) = length {
                request = request.header("content-length", length);
            }
            let answer =
                over_http2(&stage.gateway, request.body(()).unwrap(), Some(vec![b'x'; 200_000])).await;
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{lane} {length:?}");
        }
        let within = Request::post(stage.gateway.url(lane)).body(()).unwrap();
        let answer = over_http2(&stage.gateway, within, Some(vec![b'x'; 100_000])).await;
        assert_eq!(answer.status(), StatusCode::OK, "{lane}");
    }
}

#[tokio::test]
async fn bodies_that_drip_or_stand_still_are_ended() {
    let stage = Stage::with("[limits]\nbody_timeout = \"2s\"").await;
    let gateway = &stage.gateway;
    let dripped_over_http1 = async |lane: &str| {
        let mut stream = connect(gateway, &[b"http/1.1"]).await;
        let head = format!("POST {lane} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 90000\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (began, mut answer) = (Instant::now(), [0; 12]);
        loop {
            let wrote = stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok();
            let read = timeout(Duration::from_millis(300), stream.read_exact(&mut answer)).await;
            if read.is_ok() || !wrote {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{lane}: the drip was endured");
        }
        assert!(answer.starts_with(b"HTTP/1.1 408"), "{lane}: {:?}", String::from_utf8_lossy(&answer));
    };
    let over_http2 = async |lane: &str, drips: bool| {
        let mut client = http2(gateway).await;
        let request = Request::post(gateway.url(lane)).body(()).unwrap();
        let (mut answer, mut sending) = client.send_request(request, false).unwrap();
        sending.send_data(Bytes::from_static(b"x"), false).unwrap();
        let began = Instant::now();
        let ended = loop {
            if let Ok(ended) = timeout(Duration::from_millis(300), &mut answer).await {
                break ended;
            }
            if drips {
                let _ = sending.send_data(Bytes::from_static(b"x"), false);
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{lane}: it was endured");
        };
        // A stream may also be reset, where nothing more can be said on it.
        assert!(ended.as_ref().map_or(!drips, |answer| answer.status() == 408), "{lane} {drips}: {ended:?}");
    };
    tokio::join!(
        join_all(LANES.map(dripped_over_http1)),
        join_all(LANES.map(|lane| over_http2(lane, true))),
        join_all(LANES.map(|lane| over_http2(lane, false))),
    );
}

#[tokio::test]
async fn oversized_and_climbing_requests_over_http2_never_reach_a_service() {
    let stage = Stage::with("").await;
    std::fs::write(stage.gateway.path("secret.txt"), "secret").unwrap();
    let long = "a".repeat(9000);
    for lane in LANES {
        let target = Request::get(stage.gateway.url(&format!("{lane}/{long}"))).body(()).unwrap();
        assert_eq!(over_http2(&stage.gateway, target, None).await.status(), 414, "{lane}");
        let mut many = Request::get(stage.gateway.url(lane));
        for at in 0..120 {
            many = many.header(format!("x-{at}"), "y");
        }
        assert_eq!(over_http2(&stage.gateway, many.body(()).unwrap(), None).await.status(), 431, "{lane}");
        let big = Request::get(stage.gateway.url(lane)).header("x", "a".repeat(40_000)).body(()).unwrap();
        assert_eq!(over_http2(&stage.gateway, big, None).await.status(), 431, "{lane}");
        for path in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/.%2e/%2e./secret.txt",
            "/..%5csecret.txt",
            "/..;/secret.txt",
            "/%c0%ae%c0%ae/secret.txt",
            "/secret.txt%00.html",
            "/a%2f..%2f..%2fsecret.txt",
        ] {
            let request = Request::get(stage.gateway.url(&format!("{lane}{path}"))).body(()).unwrap();
            let answer = over_http2(&stage.gateway, request, None).await;
            assert!(matches!(answer.status().as_u16(), 400 | 404), "{lane}{path}: {}", answer.status());
        }
        for method in ["TRACE", "CONNECT"] {
            let mut request = Request::builder().method(method).uri(stage.gateway.url(lane));
            if method == "CONNECT" {
                request = request.extension(h2::ext::Protocol::from_static("other"));
            }
            let answer = over_http2(&stage.gateway, request.body(()).unwrap(), None).await;
            assert!(matches!(answer.status().as_u16(), 405 | 501), "{lane} {method}: {}", answer.status());
        }
        assert_eq!(stage.reached(lane), 0, "{lane}");
    }
}

#[tokio::test]
async fn nobody_speaks_for_the_gateway_and_every_answer_has_its_id() {
    let stage = Stage::with("").await;
    let gateway = &stage.gateway;
    for client in [
        gateway.client_builder().http1_only().build().unwrap(),
        gateway.client_builder().http2_prior_knowledge().build().unwrap(),
    ] {
        let lanes = LANES.map(|lane| (lane, 200));
        for (path, expected) in [("/", 200), ("/moved", 308), ("/missing.js", 404)].into_iter().chain(lanes) {
            let request = client
                .get(gateway.url(path))
                .header("x-auth-subject", "admin")
                .header("x-real-ip", "6.6.6.6");
            let request = request.header("x-forwarded-for", "6.6.6.6").header("x-request-id", "evil-evil");
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), expected, "{path}");
            let id = answer.headers()["x-request-id"].to_str().unwrap();
            assert!(id.len() == 36, "{path}: {id}");
            assert!(!answer.headers().contains_key("server"), "{path}");
        }
    }
    for head in LANES.iter().flat_map(|lane| stage.servers(lane)).flat_map(Behind::heads) {
        assert!(!head.contains("admin") && !head.contains("6.6.6.6") && !head.contains("evil"), "{head}");
        assert!(head.contains("127.0.0.1") && head.contains("x-request-id"), "{head}");
    }
}
