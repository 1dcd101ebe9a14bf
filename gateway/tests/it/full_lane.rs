//! Services that speak TLS or HTTP/2, reached through Pingora's proxy. Another gateway plays the service: it speaks
//! both, and what stands behind it remembers what came through.

use tokio::io::AsyncWriteExt;

use crate::support::{
    Gateway, Service,
    client::{connect, read_answer, status},
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
    let Chain { outer, .. } = &chain("https").await;
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
