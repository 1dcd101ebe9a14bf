//! No request is lost, whatever an operator does: reloads, new certificates, a new binary, servers that come and go.
//!
//! The traffic is our own, or oha's where `IRONGATE_OHA` says where that is (`just lossless`).

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

use crate::support::{Gateway, Http2Service, Load, Service, until};

/// A service on the lean lane and one on the full lane.
async fn before_both(service: &Service, framed: &Http2Service) -> Gateway {
    let more = format!(
        "[[route]]\npath = \"/full\"\nupstream = \"full\"\n\
         [upstream.full]\nservers = [{:?}]\nprotocol = \"h2c\"\n",
        framed.address()
    );
    Gateway::with(&[service], "", &more).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_reloads_and_a_certificate_swap_lose_no_request() {
    let service = Service::start().await;
    let framed = Http2Service::start().await;
    let gateway = before_both(&service, &framed).await;
    let load = Load::at(&gateway, &["/api", "/full"]);
    let listeners_end = gateway.config().find("[upstream").unwrap();
    let rest = gateway.config()[listeners_end..].to_owned();
    let first = gateway.state().await["certificate"]["fingerprint_sha256"].clone();
    for reload in 2..=11 {
        load.at_least(20).await;
        let hosts = if reload % 2 == 0 { "\"localhost\", \"other.example\"" } else { "\"localhost\"" };
        gateway.write_config(&format!("[tls]\nhosts = [{hosts}]\n\n{rest}"));
        gateway.signal("HUP");
        until("the reload", || async { gateway.state().await["config"]["version"].as_u64() >= Some(reload) })
            .await;
    }
    load.at_least(50).await;
    load.assert_nothing_lost().await;
    assert_ne!(gateway.state().await["certificate"]["fingerprint_sha256"], first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_the_binary_loses_no_request() {
    let service = Service::start().await;
    let framed = Http2Service::start().await;
    let mut gateway = before_both(&service, &framed).await;
    let pid = gateway.pid();
    let load = Load::at(&gateway, &["/api", "/full"]);
    load.at_least(50).await;
    gateway.upgrade().await;
    load.at_least(50).await;
    load.assert_nothing_lost().await;
    assert_ne!(gateway.pid(), pid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_drained_killed_and_brought_back_loses_no_request() {
    let (one, two) = (Service::start().await, Service::start().await);
    let port = two.port;
    let address = two.address();
    let gateway = Gateway::before(&[&one, &two]).await;
    gateway.until_server_is(&address, "up").await;
    let load = Load::on(&gateway);
    load.at_least(50).await;

    let call = |what: &str| format!("upstreams/api/servers/{address}/{what}");
    assert_eq!(gateway.admin_call(reqwest::Method::POST, &call("drain")).await.status(), 200);
    // What it had already it may finish.
    until("the drained server to be left alone", || async { gateway.in_flight(&address).await == 0 }).await;
    let before = two.requests().len();
    load.at_least(50).await;
    assert_eq!(two.requests().len(), before, "a drained server gets nothing");
    assert_eq!(gateway.admin_call(reqwest::Method::POST, &call("undrain")).await.status(), 200);
    load.at_least(50).await;
    assert!(two.requests().len() > before);

    drop(two);
    gateway.until_server_is(&address, "down").await;
    load.at_least(50).await;
    let two = Service::on(port).await;
    gateway.until_server_is(&address, "up").await;
    load.at_least(50).await;
    assert!(!two.requests().is_empty());
    load.assert_nothing_lost().await;
}

/// A service whose answer is ten megabytes, and of which the second half comes when `go` says so.
async fn slow_service() -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (go, wait) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut wait = wait.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                while let Ok(size) = stream.read(&mut head).await {
                    if size == 0 {
                        return;
                    }
                    let is_long = head[..size].starts_with(b"GET /api/long");
                    let length = if is_long { LONG } else { 0 };
                    let begin = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                    stream.write_all(begin.as_bytes()).await.unwrap();
                    if is_long {
                        stream.write_all(&vec![b'x'; LONG / 2]).await.unwrap();
                        wait.wait_for(|go| *go).await.unwrap();
                        stream.write_all(&vec![b'x'; LONG / 2]).await.unwrap();
                    }
                }
            });
        }
    });
    (port, go)
}

const LONG: usize = 10_000_000;

#[tokio::test]
async fn a_long_answer_outlives_the_hand_over() {
    let (port, go) = slow_service().await;
    let mut gateway = Gateway::configured(&format!(
        "[upstream.api]\nservers = [\"127.0.0.1:{port}\"]\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n\
         [shutdown]\ngrace = \"100ms\"\n"
    ))
    .await;
    let mut answers = Vec::new();
    for builder in [gateway.client_builder().http1_only(), gateway.client_builder().http2_prior_knowledge()] {
        let answer = builder.build().unwrap().get(gateway.url("/api/long")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answers.push(answer);
    }
    let old = gateway.hand_over().await;
    // The old process takes no more connections some seconds after it gave the sockets away, and had 100 ms from then.
    until("the old process to drain", || async { gateway.log().contains("draining") }).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gateway.client().get(gateway.url("/api/short")).send().await.unwrap().status(), 200);
    go.send_replace(true);
    for answer in answers {
        assert_eq!(answer.bytes().await.unwrap().len(), LONG);
    }
    gateway.end_of(old).await;
}

#[tokio::test]
async fn without_a_successor_nobody_gives_the_sockets_away() {
    let mut gateway = Gateway::configured("").await;
    gateway.signal("QUIT");
    until("the complaint", || async { gateway.log().contains("nobody waits for the sockets") }).await;
    assert_eq!(gateway.client().get(gateway.url("/health")).send().await.unwrap().status(), 200);
    // The next one, with a successor, is heeded.
    gateway.upgrade().await;
    assert_eq!(gateway.client().get(gateway.url("/health")).send().await.unwrap().status(), 200);
}
