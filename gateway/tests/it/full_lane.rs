//! Services that speak TLS or HTTP/2, the latter reached through Pingora's proxy. Another gateway plays the service: it
//! speaks both, and what stands behind it remembers what came through; or one that speaks as gRPC services do.

use bytes::Bytes;
use tokio::io::AsyncWriteExt;

use crate::support::{
    Gateway, Http2Service, Service,
    client::{connect, http2, read_answer, status},
    free_port,
    service::ok,
    until,
};

struct Chain {
    service: Service,
    inner: Gateway,
    outer: Gateway,
}

async fn chain(protocol: &str) -> Chain {
    let service =
        Service::answering(|got| ok(&format!("{} {}", got.head.lines().next().unwrap(), got.body.len())))
            .await;
    let inner = Gateway::with(&[&service], "", "body = \"1MiB\"").await;
    let root = inner.path("data/tls/authority.pem");
    let outer = Gateway::configured(&format!(
        "[upstream.inner]\nservers = [\"127.0.0.1:{}\"]\nprotocol = \"{protocol}\"\ntls_name = \"localhost\"\n\
         tls_root = {root:?}\nhealth = {{ interval = \"200ms\" }}\n\
         [[route]]\npath = \"/api\"\nupstream = \"inner\"\nbody = \"200KiB\"\nresponse_headers = {{ x-route = \"full\" }}\n\
         [[route]]\npath = \"/\"\nfiles = true\n",
        inner.https
    ))
    .await;
    Chain { service, inner, outer }
}

#[tokio::test]
async fn requests_pass_over_every_pair_of_protocols() {
    for protocol in ["https", "h2"] {
        let Chain { service, outer, inner } = chain(protocol).await;
        for client in [
            outer.client_builder().http1_only().build().unwrap(),
            outer.client_builder().http2_prior_knowledge().build().unwrap(),
        ] {
            for (method, size) in [("GET", 0), ("POST", 5), ("PUT", 150_000)] {
                let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
                let request =
                    client.request(method.clone(), outer.url("/api/a?b")).header("x-auth-subject", "evil");
                let request = if size > 0 { request.body(vec![b'x'; size]) } else { request };
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200, "{protocol} {method}");
                assert_eq!(answer.headers()["x-route"], "full");
                assert_eq!(
                    answer.text().await.unwrap(),
                    format!("{method} /api/a?b HTTP/1.1 {size}"),
                    "{protocol}"
                );
            }
            let missing = client.get(outer.url("/api/../x")).send().await.unwrap();
            assert_eq!(missing.status(), 404);
            let large = client.post(outer.url("/api")).body(vec![0; 300_000]).send().await.unwrap();
            assert_eq!(large.status(), 413, "{protocol}");
        }
        assert!(service.requests().iter().all(|got| got.field("x-auth-subject").is_none()));
        drop(inner);
    }
}

#[tokio::test]
async fn one_connection_goes_from_lane_to_lane_and_back() {
    let Chain { outer, .. } = &chain("h2").await;
    let mut stream = connect(outer, &[b"http/1.1"]).await;
    for (request, wanted) in [
        ("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "<title>start"),
        ("GET /api/1 HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET /api/1"),
        ("POST /api/2 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi", "POST /api/2 HTTP/1.1 2"),
        ("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "<title>start"),
        ("GET /api/3 HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET /api/3"),
    ] {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.contains(wanted), "{answer}");
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_not_accepted() {
    let service = Service::start().await;
    let inner = Gateway::before(&[&service]).await;
    let other = Gateway::configured("").await;
    let outer = Gateway::configured(&format!(
        "[upstream.inner]\nservers = [\"127.0.0.1:{}\"]\nprotocol = \"https\"\ntls_name = \"localhost\"\ntls_root = {:?}\n\
         [[route]]\npath = \"/api\"\nupstream = \"inner\"\n",
        inner.https,
        other.path("data/tls/authority.pem")
    ))
    .await;
    let answer = outer.client().get(outer.url("/api")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(service.requests().is_empty());
}

#[tokio::test]
async fn a_service_that_is_away_gives_a_problem_document() {
    let gateway = Gateway::configured(&format!(
        "[upstream.inner]\nservers = [\"127.0.0.1:{}\"]\nprotocol = \"h2c\"\n[[route]]\npath = \"/api\"\nupstream = \"inner\"\n",
        free_port()
    ))
    .await;
    until("the check", || async { gateway.state().await["upstreams"][0]["state"] == "down" }).await;
    let answer = gateway.client().get(gateway.url("/api")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let document: serde_json::Value = answer.json().await.unwrap();
    assert!(document["request_id"].is_string());
}

/// In front of services that speak HTTP/2 in the clear.
async fn before(services: &[&Http2Service], upstream: &str) -> Gateway {
    let servers: Vec<String> = services.iter().map(|service| format!("{:?}", service.address())).collect();
    Gateway::configured(&format!(
        "[upstream.api]\nservers = [{}]\nprotocol = \"h2c\"\n{upstream}\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n",
        servers.join(", ")
    ))
    .await
}

fn call(gateway: &Gateway, path: &str) -> http::Request<()> {
    http::Request::post(gateway.url(path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

async fn piece(body: &mut h2::RecvStream) -> Option<Bytes> {
    let piece = body.data().await?.unwrap();
    body.flow_control().release_capacity(piece.len()).unwrap();
    Some(piece)
}

#[tokio::test]
async fn grpc_passes_with_its_trailers() {
    let service = Http2Service::start().await;
    let gateway = before(&[&service], "").await;
    let mut client = http2(&gateway).await;
    let (answer, mut sending) = client.send_request(call(&gateway, "/api/Call"), false).unwrap();
    sending.send_data(Bytes::from_static(b"hello"), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/grpc".parse().unwrap())
    );
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(piece) = piece(&mut body).await {
        text.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8(text).unwrap(), format!("{} 5", service.port));
    assert_eq!(body.trailers().await.unwrap().expect("trailers")["grpc-status"], "0");
    let got = &service.requests()[0].headers;
    assert_eq!(got["te"], "trailers");
    assert!(got.contains_key("x-request-id") && got.contains_key("x-forwarded-for"), "{got:?}");
}

#[tokio::test]
async fn both_sides_stream_at_once() {
    let service = Http2Service::start().await;
    let gateway = before(&[&service], "").await;
    let mut client = http2(&gateway).await;
    let (answer, mut sending) = client.send_request(call(&gateway, "/api/echo"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    for text in ["one", "two", "three"] {
        // The next piece is sent only when this one has come back.
        sending.send_data(text.into(), false).unwrap();
        assert_eq!(piece(&mut body).await.unwrap(), text);
    }
    sending.send_data(Bytes::new(), true).unwrap();
    while let Some(rest) = piece(&mut body).await {
        assert!(rest.is_empty(), "{rest:?}");
    }
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn http2_services_are_asked_for_their_health_where_a_path_is_named() {
    let service = Http2Service::start().await;
    service.set_healthy(false);
    let gateway = before(&[&service], "health = { interval = \"200ms\", path = \"/health\" }").await;
    gateway.until_server_is(&service.address(), "down").await;
    let state = gateway.state().await;
    assert_eq!(state["upstreams"][0]["servers"][0]["last_failure"]["reason"], "answered 503: database");
    service.set_healthy(true);
    gateway.until_server_is(&service.address(), "up").await;
}

#[tokio::test]
async fn what_fails_inside_pingora_is_told_as_everywhere() {
    let service = Http2Service::start().await;
    let gateway = before(&[&service], "ejection = { failures = 0 }").await;
    for client in [
        gateway.client_builder().http1_only().build().unwrap(),
        gateway.client_builder().http2_prior_knowledge().build().unwrap(),
    ] {
        let document = client.post(gateway.url("/api/reset")).send().await.unwrap();
        assert_eq!(document.status(), 502);
        let id = document.headers()["x-request-id"].to_str().unwrap().to_owned();
        let document: serde_json::Value = document.json().await.unwrap();
        assert_eq!((&document["request_id"], &document["instance"]), (&id.into(), &"/api/reset".into()));
        let page = client.post(gateway.url("/api/reset")).header("accept", "text/html").send().await.unwrap();
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (502, &"text/html; charset=utf-8".parse().unwrap())
        );
        let id = page.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(page.text().await.unwrap().contains(&id));
    }
    // Each was sent once: a POST is not repeated.
    assert_eq!(service.requests().len(), 4);
}
