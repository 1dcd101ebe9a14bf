//! Services' answers, compressed on their way.

use std::io::{Read as _, Write as _};

use reqwest::header::{ACCEPT_ENCODING, HeaderMap};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Gateway, Service};

fn text() -> String {
    "{\"name\":\"value\"}".repeat(400)
}

/// Answers 200 with that text and the fields that its path stands for.
async fn service() -> Service {
    Service::answering(|got| {
        let path = got.head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
        let (mut status, mut body, mut kind) = ("200 OK", text(), "application/json; charset=utf-8");
        let more = match path.as_str() {
            "private" => "cache-control: private\r\n",
            "no-store" => "cache-control: no-store\r\n",
            "cookie" => "set-cookie: a=b\r\n",
            "fixed" => "cache-control: no-transform\r\n",
            "done" => "content-encoding: br\r\n",
            "digest" => "content-digest: sha-256=:x:\r\n",
            "image" => {
                kind = "image/png";
                ""
            }
            "small" => {
                body = "{}".to_owned();
                ""
            }
            "range" => {
                status = "206 Partial Content";
                "content-range: bytes 0-5999/9999\r\n"
            }
            _ => "etag: \"tag\"\r\nvary: Origin\r\naccept-ranges: bytes\r\n",
        };
        let sent = if got.head.starts_with("HEAD") { "" } else { &body };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {}\r\n\r\n{sent}",
            body.len()
        )
        .into_bytes()
    })
    .await
}

async fn gateway(service: &Service) -> Gateway {
    Gateway::with(
        &[service],
        "",
        "[[route]]\npath = \"/all\"\nupstream = \"api\"\ncompress = true\n\
         [[route]]\npath = \"/none\"\nupstream = \"api\"\ncompress = false\n",
    )
    .await
}

fn clients(gateway: &Gateway) -> [reqwest::Client; 2] {
    [
        gateway.client_builder().http1_only().build().unwrap(),
        gateway.client_builder().http2_prior_knowledge().build().unwrap(),
    ]
}

fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
        "zstd" => out = zstd::decode_all(bytes).unwrap(),
        "br" => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap()),
        _ => out.extend_from_slice(bytes),
    }
    out
}

fn field<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn answers_are_compressed_as_the_client_likes_best() {
    let service = service().await;
    let gateway = gateway(&service).await;
    for client in clients(&gateway) {
        for (accepted, coding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip;q=1, br;q=0.5", "gzip"),
            ("zstd", "zstd"),
            ("gzip;q=0", ""),
            ("identity", ""),
        ] {
            let ask = |method: reqwest::Method| {
                client.request(method, gateway.url("/api/json")).header(ACCEPT_ENCODING, accepted).send()
            };
            let answer = ask(reqwest::Method::GET).await.unwrap();
            let headers = answer.headers().clone();
            assert_eq!(field(&headers, "content-encoding"), coding, "{accepted}");
            let vary: Vec<_> = headers.get_all("vary").iter().collect();
            assert_eq!(vary, ["Origin", "Accept-Encoding"], "{accepted}");
            let body = answer.bytes().await.unwrap();
            assert_eq!(decoded(coding, &body), text().into_bytes(), "{accepted}");
            // A strong tag promises these very bytes, and a range would be one of them.
            let (tag, ranges) = if coding.is_empty() { ("\"tag\"", "bytes") } else { ("W/\"tag\"", "") };
            assert_eq!((field(&headers, "etag"), field(&headers, "accept-ranges")), (tag, ranges));
            assert!(coding.is_empty() || body.len() < text().len() / 4, "{}", body.len());
            let head = ask(reqwest::Method::HEAD).await.unwrap();
            assert_eq!(field(head.headers(), "content-encoding"), coding);
            assert_eq!(field(head.headers(), "etag"), tag);
            assert!(head.bytes().await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn what_must_stay_as_it_is_does() {
    let service = service().await;
    let gateway = gateway(&service).await;
    for client in clients(&gateway) {
        let coding = async |path: &str, control: &str| {
            let request = client.get(gateway.url(path)).header(ACCEPT_ENCODING, "gzip");
            let answer = request.header("cache-control", control).send().await.unwrap();
            let coding = field(answer.headers(), "content-encoding").to_owned();
            let length = field(answer.headers(), "content-length").to_owned();
            let body = answer.bytes().await.unwrap();
            assert!(coding == "gzip" || length == body.len().to_string(), "{path}");
            coding
        };
        for path in ["private", "no-store", "cookie", "fixed", "image", "small", "range", "digest"] {
            assert_eq!(coding(&format!("/api/{path}"), "max-age=0").await, "", "{path}");
        }
        assert_eq!(coding("/api/done", "max-age=0").await, "br", "what the service compressed itself");
        assert_eq!(coding("/api/json", "no-transform").await, "", "the client may forbid it too");
        // A route may say that its answers hold no secret beside a stranger's words, or that it wants none of this.
        for path in ["private", "no-store", "cookie"] {
            assert_eq!(coding(&format!("/all/{path}"), "max-age=0").await, "gzip", "{path}");
        }
        assert_eq!(coding("/all/fixed", "max-age=0").await, "");
        assert_eq!(coding("/none/json", "max-age=0").await, "");
    }
}

#[tokio::test]
async fn compressed_event_streams_arrive_piece_by_piece() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (go, wait) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut wait = wait.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let size = stream.read(&mut head).await.unwrap();
                if head[..size].starts_with(b"GET /health") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    return;
                }
                let begin = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(begin).await.unwrap();
                for number in 1..=3 {
                    // Sends the next event only when the client has read the one before.
                    wait.wait_for(|seen| *seen + 1 >= number).await.unwrap();
                    stream.write_all(format!("9\r\ndata: {number}\n\n\r\n").as_bytes()).await.unwrap();
                }
                let _ = stream.write_all(b"0\r\n\r\n").await;
            });
        }
    });
    let gateway = Gateway::configured(&format!(
        "[upstream.api]\nservers = [\"127.0.0.1:{port}\"]\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n"
    ))
    .await;
    for client in clients(&gateway) {
        go.send_replace(0);
        let request = client.get(gateway.url("/api/events")).header(ACCEPT_ENCODING, "gzip");
        let mut answer = request.send().await.unwrap();
        assert_eq!(field(answer.headers(), "content-encoding"), "gzip");
        let mut reader = flate2::write::GzDecoder::new(Vec::new());
        for number in 1..=3 {
            let wanted = format!("data: {number}\n\n");
            while reader.get_ref().as_slice() != wanted.as_bytes() {
                let piece = answer.chunk().await.unwrap().expect("more");
                reader.write_all(&piece).unwrap();
                reader.flush().unwrap();
            }
            reader.get_mut().clear();
            go.send_replace(number);
        }
        while let Some(piece) = answer.chunk().await.unwrap() {
            reader.write_all(&piece).unwrap();
        }
        assert!(reader.finish().unwrap().is_empty());
    }
}
