//! Who is asked: dead servers are found, new ones followed, and no request is lost meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::support::{Gateway, Http2Service, NameServer, Service, free_port, until};

/// Constant traffic over several connections, both protocols; counts what failed.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<String>>,
}

impl Load {
    fn on(gateway: &Gateway) -> Self {
        Self::at(gateway, &["/api"])
    }

    fn at(gateway: &Gateway, paths: &[&str]) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for at in 0..6 {
            let builder = gateway.client_builder();
            let client = if at % 2 == 0 { builder.http1_only().build() } else { builder.build() }.unwrap();
            let (url, stop, done) = (gateway.url(paths[at / 2 % paths.len()]), stop.clone(), done.clone());
            tasks.spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(SeqCst) {
                    match client.get(&url).send().await {
                        Ok(answer) if answer.status() == StatusCode::OK => {
                            // The body counts too: an answer cut short is a request lost.
                            if let Err(error) = answer.bytes().await {
                                failures.push(format!("{error:?}"));
                            }
                        }
                        Ok(answer) => failures.push(answer.status().to_string()),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                    done.fetch_add(1, SeqCst);
                }
                failures
            });
        }
        Self { stop, done, tasks }
    }

    async fn at_least(&self, more: usize) {
        let goal = self.done.load(SeqCst) + more;
        until("more requests", || async { self.done.load(SeqCst) >= goal }).await;
    }

    async fn assert_nothing_lost(mut self) {
        self.stop.store(true, SeqCst);
        let mut failures = Vec::new();
        while let Some(task) = self.tasks.join_next().await {
            failures.extend(task.unwrap());
        }
        let done = self.done.load(SeqCst);
        assert!(failures.is_empty(), "{} of {done} failed: {:?}", failures.len(), failures.first());
        assert!(done > 100, "too little traffic to mean anything: {done}");
    }
}

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
    tokio::time::sleep(Duration::from_millis(100)).await;
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

#[tokio::test]
async fn a_killed_service_is_out_after_one_failed_request_and_back_in_time() {
    let service = Service::start().await;
    let (port, address) = (service.port, service.address());
    let gateway = Gateway::with(&[&service], "", "").await;
    let client = gateway.client();
    assert_eq!(client.get(gateway.url("/api")).send().await.unwrap().status(), 200);
    drop(service);
    let killed = Instant::now();
    let mut failed = 0;
    // Long before the next interval the first failed request has had the server looked at.
    while gateway.server_state(&address).await != "down" {
        let answer = client.get(gateway.url("/api")).send().await.unwrap();
        assert!(answer.status().is_server_error());
        failed += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(killed.elapsed() < Duration::from_secs(5));
    }
    assert!(failed <= 2, "{failed} requests failed");
    let refused = client.get(gateway.url("/api")).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let _back = Service::on(port).await;
    let back_at = Instant::now();
    gateway.until_server_is(&address, "up").await;
    assert!(back_at.elapsed() < Duration::from_secs(3), "{:?}", back_at.elapsed());
    assert_eq!(client.get(gateway.url("/api")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_unhealthy_service_is_not_asked_and_the_reason_is_kept() {
    let service = Service::start().await;
    service.set_healthy(false);
    let gateway = Gateway::before(&[&service]).await;
    let answer = gateway.client().get(gateway.url("/api")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(service.requests().is_empty());
    let state = gateway.state().await;
    let server = &state["upstreams"][0]["servers"][0];
    assert_eq!(server["state"], "down");
    assert_eq!(server["last_failure"]["reason"], "answered 503: database");
    service.set_healthy(true);
    gateway.until_server_is(&service.address(), "up").await;
    let health: serde_json::Value =
        gateway.client().get(gateway.url("/health")).send().await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "ok", "{health}");
}

#[tokio::test]
async fn nothing_healthy_is_said_at_once() {
    let gateway = Gateway::configured(&format!(
        "[upstream.api]\nservers = [\"127.0.0.1:{}\"]\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n",
        free_port()
    ))
    .await;
    let client = gateway.client();
    let _warm = client.get(gateway.url("/api")).send().await.unwrap();
    let asked = Instant::now();
    assert_eq!(client.get(gateway.url("/api")).send().await.unwrap().status(), 503);
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_request_that_may_not_be_repeated_is_sent_once() {
    let service = Service::answering(|_| Vec::new()).await;
    let other = Service::answering(|_| Vec::new()).await;
    let gateway = Gateway::before(&[&service, &other]).await;
    gateway.until_server_is(&other.address(), "up").await;
    let answer = gateway.client().post(gateway.url("/api")).body("x").send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(service.requests().len() + other.requests().len(), 1);
    let _ = gateway.client().get(gateway.url("/api")).send().await.unwrap();
    assert!(service.requests().len() + other.requests().len() >= 3, "a GET is tried again elsewhere");
}

#[tokio::test]
async fn host_names_are_followed() {
    // `localhost` stands in every hosts file; the port belongs to nobody at first.
    let port = free_port();
    let gateway = Gateway::configured(&format!(
        "[upstream.api]\nservers = [\"localhost:{port}\"]\nresolve_every = \"200ms\"\n\
         health = {{ interval = \"200ms\" }}\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n"
    ))
    .await;
    let service = Service::on(port).await;
    gateway.until_server_is(&service.address(), "up").await;
    assert_eq!(gateway.client().get(gateway.url("/api")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_name_that_gains_and_loses_addresses_is_followed_within_five_seconds() {
    let limit = Duration::from_secs(5);
    let names = NameServer::start().await;
    let one = Service::start().await;
    let two = Service::at(&format!("127.0.0.2:{}", one.port)).await;
    names.set(&["127.0.0.1"]);
    // The time between two look-ups is the default.
    let gateway = Gateway::configured(&format!(
        "[resolver]\nservers = [\"127.0.0.1:{}\"]\n[upstream.api]\nservers = [\"api.test:{}\"]\n\
         [[route]]\npath = \"/api\"\nupstream = \"api\"\n",
        names.port, one.port
    ))
    .await;
    gateway.until_server_is(&one.address(), "up").await;
    let client = gateway.client();
    let ask = async || {
        let answer = client.get(gateway.url("/api")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    ask().await;

    names.set(&["127.0.0.2", "127.0.0.1"]);
    let gained = Instant::now();
    gateway.until_server_is(&two.address(), "up").await;
    assert!(gained.elapsed() < limit, "{:?}", gained.elapsed());
    until("the new server to be asked", || async {
        ask().await;
        !two.requests().is_empty()
    })
    .await;

    names.set(&["127.0.0.2"]);
    let lost = Instant::now();
    gateway.until_server_is(&one.address(), "absent").await;
    assert!(lost.elapsed() < limit, "{:?}", lost.elapsed());
    let before = one.requests().len();
    for _ in 0..20 {
        ask().await;
    }
    assert_eq!(one.requests().len(), before, "a server without a name gets nothing");

    // More addresses than fit into a datagram come over TCP; a name that is gone takes nobody out.
    names.only_tcp();
    names.set(&["127.0.0.1", "127.0.0.2"]);
    gateway.until_server_is(&one.address(), "up").await;
    names.set(&[]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(gateway.server_state(&one.address()).await, "up");
}
