//! Who is asked: dead servers are found, new ones followed.

use std::time::{Duration, Instant};

use crate::support::{Dnsmasq, Gateway, NAME, NameServer, Service, free_port, until};

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

/// In front of the service that the name server names.
async fn by_name(name_server: u16, service: u16) -> Gateway {
    // The time between two look-ups is the default.
    Gateway::configured(&format!(
        "[resolver]\nservers = [\"127.0.0.1:{name_server}\"]\n[upstream.api]\nservers = [\"{NAME}:{service}\"]\n\
         [[route]]\npath = \"/api\"\nupstream = \"api\"\n"
    ))
    .await
}

#[tokio::test]
async fn a_name_that_gains_and_loses_addresses_is_followed_within_five_seconds() {
    let limit = Duration::from_secs(5);
    let names = Dnsmasq::start().await;
    let one = Service::start().await;
    let two = Service::at(&format!("127.0.0.2:{}", one.port)).await;
    names.set(&["127.0.0.1"]);
    let gateway = by_name(names.port, one.port).await;
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

    // A name that is gone takes nobody out, and neither does a name server.
    names.set(&[]);
    let (port, asked) = (names.port, Instant::now());
    drop(names);
    while asked.elapsed() < limit {
        ask().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(gateway.server_state(&two.address()).await, "up", "without a name server on {port}");
}

#[tokio::test]
async fn forged_answers_are_not_believed_and_long_ones_asked_for_over_tcp() {
    // It sends a forged answer before each of its own.
    let names = NameServer::start().await;
    let one = Service::start().await;
    let two = Service::at(&format!("127.0.0.2:{}", one.port)).await;
    names.set(&["127.0.0.1"]);
    let gateway = by_name(names.port, one.port).await;
    gateway.until_server_is(&one.address(), "up").await;
    assert_eq!(gateway.state().await["upstreams"][0]["servers"].as_array().unwrap().len(), 1);

    names.only_tcp();
    names.set(&["127.0.0.1", "127.0.0.2"]);
    gateway.until_server_is(&two.address(), "up").await;
    assert_eq!(gateway.server_state(&one.address()).await, "up");
}
