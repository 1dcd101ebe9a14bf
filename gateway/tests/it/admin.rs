//! The dashboard's API, health and metrics.

use crate::support::{Gateway, Service, until};

#[tokio::test]
async fn the_api_needs_the_token_and_the_main_port_another_one() {
    let gateway = Gateway::configured("").await;
    let client = reqwest::Client::new();
    let url = format!("http://127.0.0.1:{}/admin/api/state", gateway.admin);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(client.get(&url).bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(client.get(&url).bearer_auth(gateway.admin_token()).send().await.unwrap().status(), 200);
    // The admin listener's token opens nothing on the public port.
    let public = gateway.client().get(gateway.url("/admin/api/state")).bearer_auth(gateway.admin_token());
    assert_eq!(public.send().await.unwrap().status(), 401);
    let page = gateway.client().get(gateway.url("/admin/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("script-src 'self'"));
}

#[tokio::test]
async fn a_change_is_told_at_once_over_the_event_stream() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let mut events = gateway.admin_call(reqwest::Method::GET, "events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    while !seen.contains("\n\n") {
        seen.push_str(&String::from_utf8_lossy(&events.chunk().await.unwrap().unwrap()));
    }
    assert!(seen.starts_with("event: state\ndata: {"), "{seen}");
    let drain = format!("upstreams/api/servers/{}/drain", service.address());
    gateway.admin_call(reqwest::Method::POST, &drain).await;
    let told = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while !seen.contains("\"draining\"") {
            seen.push_str(&String::from_utf8_lossy(&events.chunk().await.unwrap().unwrap()));
        }
    });
    told.await.expect("the change in the stream");
}

/// The hour's history is most of a state, and grows every ten seconds only.
#[tokio::test]
async fn the_event_stream_tells_its_history_once_and_when_it_has_grown() {
    let gateway = Gateway::configured("").await;
    let mut events = gateway.admin_call(reqwest::Method::GET, "events").await;
    let mut seen = String::new();
    while seen.matches("\n\n").count() < 4 {
        seen.push_str(&String::from_utf8_lossy(&events.chunk().await.unwrap().unwrap()));
    }
    let told: Vec<bool> = seen
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("event: state\ndata: "))
        .map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap()["history"].is_array())
        .collect();
    assert!(told[0], "{seen}");
    assert!(told[1..].iter().filter(|told| **told).count() <= 1, "{told:?}");
    assert!(gateway.state().await["history"].is_array(), "who asks once gets all of it");
}

#[tokio::test]
async fn metrics_and_the_configuration_can_be_read() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    for _ in 0..5 {
        gateway.client().get(gateway.url("/api")).send().await.unwrap();
    }
    let text = reqwest::get(format!("http://127.0.0.1:{}/metrics", gateway.admin))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let server = format!(
        "irongate_gateway_server_requests_total{{upstream=\"api\",server=\"{}\"}} 5",
        service.address()
    );
    assert!(text.contains(&server), "{text}");
    let config = gateway.admin_call(reqwest::Method::GET, "config").await.text().await.unwrap();
    assert!(config.contains("[upstream.api]"), "{config}");
    let authority = gateway.admin_call(reqwest::Method::GET, "authority.pem").await.bytes().await.unwrap();
    assert_eq!(authority, gateway.authority());
}

#[tokio::test]
async fn health_checks_that_go_well_leave_no_line_in_the_log_unless_asked_for() {
    let gateway = Gateway::configured("").await;
    let client = gateway.client();
    for path in ["/health", "/health/live", "/first"] {
        client.get(gateway.url(path)).send().await.unwrap();
    }
    until("the line", || async { gateway.access_log().contains("/first") }).await;
    assert!(!gateway.access_log().contains("/health"), "{}", gateway.access_log());
    gateway.write_config("[log]\nhealth = true\n");
    until("the setting", || async { gateway.state().await["config"]["version"] == 2 }).await;
    client.get(gateway.url("/health")).send().await.unwrap();
    until("the line", || async { gateway.access_log().contains("\"path\":\"/health\"") }).await;
}
