//! How much memory a client can make the gateway hold. `docs/gateway.md` states these figures.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{
    Gateway,
    client::{connect, http2, read_answer},
    until,
};

const CLIENTS: u64 = 60;

#[tokio::test]
async fn an_idle_connection_takes_no_more_than_is_written() {
    let gateway = Gateway::configured("").await;
    let get = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for (protocol, at_most) in [("HTTP/1.1", 32), ("HTTP/2", 64)] {
        let mut open = Vec::new();
        let mut framed = Vec::new();
        let mut before = 0;
        // The first hundred bring what all of them share.
        for at in 0..600 {
            if at == 100 {
                before = gateway.memory_kib();
            }
            if protocol == "HTTP/2" {
                framed.push(http2(&gateway).await);
            } else {
                let mut stream = connect(&gateway, &[b"http/1.1"]).await;
                stream.write_all(get).await.unwrap();
                read_answer(&mut stream).await;
                open.push(stream);
            }
        }
        let each = gateway.memory_kib().saturating_sub(before) as f64 / 500.0;
        eprintln!("an idle connection with {protocol} takes {each:.1} KiB");
        assert!(each < f64::from(at_most), "{protocol}: {each} KiB");
    }
}

/// A service that answers every request with bytes without end, and reads nothing of a body.
async fn flood() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut head = [0; 1024];
                let size = stream.read(&mut head).await.unwrap_or(0);
                if head[..size].starts_with(b"GET /health") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    return;
                }
                if head[..size].starts_with(b"POST") {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await;
                while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
            });
        }
    });
    port
}

async fn before_flood() -> Gateway {
    let port = flood().await;
    Gateway::configured(&format!(
        "[upstream.api]\nservers = [\"127.0.0.1:{port}\"]\n[[route]]\npath = \"/api\"\nupstream = \"api\"\nbody = \"10GiB\"\n"
    ))
    .await
}

#[tokio::test]
async fn who_does_not_read_an_answer_holds_little_of_it_here() {
    let gateway = before_flood().await;
    let before = gateway.memory_kib();
    let (mut plain, mut framed) = (Vec::new(), Vec::new());
    for at in 0..CLIENTS {
        if at % 2 == 0 {
            let mut stream = connect(&gateway, &[b"http/1.1"]).await;
            stream.write_all(b"GET /api HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            let mut some = [0; 1000];
            stream.read_exact(&mut some).await.unwrap();
            plain.push(stream);
        } else {
            let mut client = http2(&gateway).await;
            let request = http::Request::get(gateway.url("/api")).body(()).unwrap();
            let answer = client.send_request(request, true).unwrap().0.await.unwrap();
            framed.push((client, answer));
        }
    }
    settled(&gateway).await;
    let grown = gateway.memory_kib().saturating_sub(before);
    eprintln!("a client that does not read holds {} KiB", grown / CLIENTS);
    assert!(grown < CLIENTS * 400, "{grown} KiB");
}

#[tokio::test]
async fn who_sends_a_body_that_nobody_takes_holds_little_of_it_here() {
    let gateway = before_flood().await;
    let before = gateway.memory_kib();
    let mut sending = tokio::task::JoinSet::new();
    for at in 0..CLIENTS {
        if at % 2 == 0 {
            let mut stream = connect(&gateway, &[b"http/1.1"]).await;
            sending.spawn(async move {
                let head = b"POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000000\r\n\r\n";
                stream.write_all(head).await.unwrap();
                while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
            });
        } else {
            let mut client = http2(&gateway).await;
            let request = http::Request::post(gateway.url("/api")).body(()).unwrap();
            let (answer, mut body) = client.send_request(request, false).unwrap();
            sending.spawn(async move {
                // As much as the window lets through.
                loop {
                    body.reserve_capacity(64 * 1024);
                    let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                    let Some(Ok(room)) = room else { break };
                    if body.send_data(Bytes::from(vec![b'x'; room]), false).is_err() {
                        break;
                    }
                }
                drop(answer);
                drop(client);
            });
        }
    }
    settled(&gateway).await;
    let grown = gateway.memory_kib().saturating_sub(before);
    eprintln!("a client whose body nobody takes holds {} KiB", grown / CLIENTS);
    assert!(grown < CLIENTS * 600, "{grown} KiB");
}

/// Until memory grows no more: what the sockets hold is full.
async fn settled(gateway: &Gateway) {
    let mut last = 0;
    until("memory to stop growing", || {
        let now = gateway.memory_kib();
        let stands = now <= last + 64;
        last = now.max(last);
        async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            stands
        }
    })
    .await;
}
