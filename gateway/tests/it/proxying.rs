//! What passes between client and service, over both protocols.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{
    Gateway, Service,
    client::{connect, raw, raw_plain, status},
    service::ok,
};

/// One client per protocol.
fn both(gateway: &Gateway) -> [(&'static str, reqwest::Client); 2] {
    [
        ("HTTP/1.1", gateway.client_builder().http1_only().build().unwrap()),
        ("HTTP/2", gateway.client_builder().http2_prior_knowledge().build().unwrap()),
    ]
}

#[tokio::test]
async fn methods_bodies_and_queries_arrive_as_sent() {
    let service =
        Service::answering(|got| ok(&format!("{} {}", got.head.lines().next().unwrap(), got.body.len())))
            .await;
    let gateway = Gateway::with(&[&service], "", "body = \"2MiB\"").await;
    for (name, client) in both(&gateway) {
        for (method, size) in
            [("GET", 0), ("POST", 0), ("POST", 10), ("PUT", 70_000), ("PATCH", 1_500_000), ("DELETE", 3)]
        {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let request = client.request(method.clone(), gateway.url("/api/a%20b?q=%C3%A4&r"));
            let request = if size > 0 { request.body(vec![b'x'; size]) } else { request };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{name} {method} {size}");
            let text = answer.text().await.unwrap();
            assert_eq!(text, format!("{method} /api/a%20b?q=%C3%A4&r HTTP/1.1 {size}"), "{name}");
        }
    }
}

#[tokio::test]
async fn every_way_to_end_an_answer_is_understood() {
    let service = Service::answering(|got| {
        let path = got.head.split(' ').nth(1).unwrap().to_owned();
        match path.as_str() {
            "/api/chunked" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nt: v\r\n\r\n".to_vec(),
            "/api/close" => b"HTTP/1.0 200 OK\r\n\r\nabcdefg".to_vec(),
            "/api/empty" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            "/api/same" => b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n".to_vec(),
            "/api/early" => b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nabcdefg".to_vec(),
            _ if got.head.starts_with("HEAD") => b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_vec(),
            _ => ok("abcdefg"),
        }
    })
    .await;
    let gateway = Gateway::before(&[&service]).await;
    for (name, client) in both(&gateway) {
        for path in ["chunked", "close", "plain", "early"] {
            let answer = client.get(gateway.url(&format!("/api/{path}"))).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{name} {path}");
            assert_eq!(answer.text().await.unwrap(), "abcdefg", "{name} {path}");
        }
        let empty = client.get(gateway.url("/api/empty")).send().await.unwrap();
        assert_eq!((empty.status().as_u16(), empty.bytes().await.unwrap().len()), (204, 0), "{name}");
        let same = client.get(gateway.url("/api/same")).send().await.unwrap();
        assert_eq!(
            (same.status().as_u16(), &same.headers()["etag"]),
            (304, &"\"x\"".parse().unwrap()),
            "{name}"
        );
        let head = client.head(gateway.url("/api/plain")).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], "7", "{name}");
        assert_eq!(head.bytes().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn confused_answers_become_502_and_cut_ones_are_seen_as_cut() {
    let service = Service::answering(|got| match got.head.split(' ').nth(1).unwrap() {
        "/api/two" => b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde".to_vec(),
        "/api/both" => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc".to_vec()
        }
        "/api/junk" => b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec(),
        "/api/switch" => b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_vec(),
        "/api/split" => b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n".to_vec(),
        "/api/cut" => b"HTTP/1.0 200 OK\r\ncontent-length: 100\r\n\r\nabc".to_vec(),
        _ => Vec::new(),
    })
    .await;
    let gateway = Gateway::with(&[&service], "ejection = { failures = 0 }", "").await;
    for (name, client) in both(&gateway) {
        for path in ["two", "both", "junk", "switch", "split", "nothing"] {
            let answer = client.post(gateway.url(&format!("/api/{path}"))).send().await.unwrap();
            assert_eq!(answer.status(), 502, "{name} {path}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        // The cut may be seen with the head already, or while reading the body.
        let complete = match client.get(gateway.url("/api/cut")).send().await {
            Ok(cut) => cut.bytes().await.is_ok(),
            Err(_) => false,
        };
        assert!(!complete, "{name}: a cut answer must not look complete");
    }
}

#[tokio::test]
async fn what_a_service_sends_beyond_its_answer_reaches_nobody() {
    let service = Service::answering(|_| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
            .to_vec()
    })
    .await;
    let gateway = Gateway::before(&[&service]).await;
    for (name, client) in both(&gateway) {
        for _ in 0..5 {
            let answer = client.get(gateway.url("/api")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "abc", "{name}");
        }
    }
}

#[tokio::test]
async fn event_streams_arrive_piece_by_piece() {
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
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                    .await
                    .unwrap();
                for number in 1..=3 {
                    // Sends the next event only when the client has seen the one before.
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
    for (name, client) in both(&gateway) {
        go.send_replace(0);
        let mut answer = client.get(gateway.url("/api/events")).send().await.unwrap();
        for number in 1..=3 {
            let piece: Bytes = answer.chunk().await.unwrap().unwrap();
            assert_eq!(piece, format!("data: {number}\n\n"), "{name}");
            go.send_replace(number);
        }
        let end = answer.chunk().await.unwrap().unwrap_or_default();
        assert!(end.is_empty(), "{name}: {end:?}");
    }
}

#[tokio::test]
async fn connections_to_services_are_used_again() {
    let service = Service::start().await;
    let gateway = Gateway::configured(&format!(
        "[upstream.api]\nservers = [{:?}]\nhealth = {{ interval = \"1h\" }}\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n",
        service.address()
    ))
    .await;
    let client = gateway.client();
    for _ in 0..20 {
        assert_eq!(
            client.get(gateway.url("/api")).send().await.unwrap().text().await.unwrap(),
            service.port.to_string()
        );
    }
    assert!(service.connections() <= 3, "{} connections", service.connections());
}

#[tokio::test]
async fn plain_http_leads_to_https_with_method_path_and_query() {
    let gateway = Gateway::configured("").await;
    for method in ["GET", "POST", "DELETE"] {
        let answer = raw_plain(
            gateway.http,
            &format!(
                "{method} /a/b?c=d HTTP/1.1\r\nhost: app.example:{}\r\nconnection: close\r\n\r\n",
                gateway.http
            ),
        )
        .await
        .unwrap();
        assert_eq!(status(&answer), 308, "{answer}");
        assert!(
            answer.contains(&format!("location: https://app.example:{}/a/b?c=d\r\n", gateway.https)),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn problems_are_documents_for_programs_and_pages_for_people() {
    let gateway =
        Gateway::configured("[[route]]\npath = \"/only\"\nredirect = \"/x\"\nmethods = \"GET\"\n").await;
    for (name, client) in both(&gateway) {
        let document = client.get(gateway.url("/nothing")).send().await.unwrap();
        assert_eq!(document.status(), 404, "{name}");
        let id = document.headers()["x-request-id"].to_str().unwrap().to_owned();
        let document: serde_json::Value = document.json().await.unwrap();
        assert_eq!(document["type"], "urn:irongate:problem:no-route");
        assert_eq!(document["request_id"], id);
        assert_eq!(document["instance"], "/nothing");
        let page = client
            .get(gateway.url("/nothing"))
            .header("accept", "text/html,application/xhtml+xml")
            .send()
            .await
            .unwrap();
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let id = page.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(page.text().await.unwrap().contains(&id));
        let wrong = client.post(gateway.url("/only")).send().await.unwrap();
        assert_eq!((wrong.status().as_u16(), &wrong.headers()["allow"]), (405, &"GET".parse().unwrap()));
    }
}

#[tokio::test]
async fn hosts_methods_headers_and_prefixes_pick_the_route() {
    let (one, two) = (Service::start().await, Service::start().await);
    let gateway = Gateway::configured(&format!(
        "[upstream.one]\nservers = [{:?}]\n[upstream.two]\nservers = [{:?}]\n\
         [[route]]\npath = \"/\"\nupstream = \"one\"\n\
         [[route]]\npath = \"/auth\"\nupstream = \"two\"\nrewrite = \"/v1\"\n\
         [[route]]\npath = \"/\"\nhost = \"*.two.example\"\nupstream = \"two\"\n\
         [[route]]\npath = \"/\"\nheaders = {{ x-canary = \"yes\" }}\nupstream = \"two\"\n\
         [[route]]\npath = \"/old\"\nredirect = \"https://new.example{{path}}{{query}}\"\nredirect_status = 301\n",
        one.address(),
        two.address()
    ))
    .await;
    let ask = |path: &'static str, host: &'static str, more: &'static str| {
        let gateway = &gateway;
        async move {
            raw(gateway, format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}connection: close\r\n\r\n"))
                .await
        }
    };
    let from = |service: &Service| format!("\r\n\r\n{}", service.port);
    assert!(ask("/", "a", "").await.ends_with(&from(&one)));
    assert!(ask("/authors", "a", "").await.ends_with(&from(&one)));
    assert!(ask("/auth/login?x", "a", "").await.ends_with(&from(&two)));
    assert!(two.requests().last().unwrap().head.starts_with("GET /v1/login?x HTTP/1.1"));
    assert!(ask("/", "sub.two.example", "").await.ends_with(&from(&two)));
    assert!(ask("/", "two.example", "").await.ends_with(&from(&one)));
    assert!(ask("/", "a", "x-canary: yes\r\n").await.ends_with(&from(&two)));
    assert!(ask("/", "a", "x-canary: no\r\n").await.ends_with(&from(&one)));
    let moved = ask("/old/a?b", "a", "").await;
    assert!(
        moved.starts_with("HTTP/1.1 301 ") && moved.contains("location: https://new.example/old/a?b\r\n"),
        "{moved}"
    );
}

#[tokio::test]
async fn rates_are_limited_per_address_and_said_in_fields() {
    let service = Service::start().await;
    let gateway = Gateway::with(&[&service], "", "rate = 1\nburst = 3").await;
    let client = gateway.client();
    for left in [2, 1, 0] {
        let answer = client.get(gateway.url("/api")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["ratelimit-remaining"], left.to_string());
    }
    let refused = client.get(gateway.url("/api")).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(service.requests().len(), 3);
    assert_eq!(
        client.get(gateway.url("/")).send().await.unwrap().status(),
        200,
        "other routes are not meant"
    );
}

#[tokio::test]
async fn address_lists_and_cors_are_observed() {
    let service = Service::start().await;
    let gateway = Gateway::with(
        &[&service],
        "",
        "cors = { origins = [\"https://app.example\"], credentials = true }\n\
         [[route]]\npath = \"/inside\"\nupstream = \"api\"\nallow = \"10.0.0.0/8\"\n",
    )
    .await;
    let client = gateway.client();
    assert_eq!(client.get(gateway.url("/inside")).send().await.unwrap().status(), 403);
    let preflight = |origin: &'static str| {
        client
            .request(reqwest::Method::OPTIONS, gateway.url("/api"))
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .send()
    };
    let allowed = preflight("https://app.example").await.unwrap();
    assert_eq!(allowed.status(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    assert_eq!(preflight("https://evil.example").await.unwrap().status(), 403);
    let simple =
        client.get(gateway.url("/api")).header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(simple.status(), 200);
    assert!(!simple.headers().contains_key("access-control-allow-origin"));
    assert_eq!(simple.headers()["vary"], "Origin");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn a_plain_listener_serves_in_the_clear_what_https_serves() {
    let service = Service::start().await;
    let mut gateway = Gateway::with(&[&service], "", "\n[client]\ntrusted_proxies = \"127.0.0.1\"").await;
    let plain = crate::support::free_port();
    let config = gateway.config().replace("[listen]", &format!("[listen]\nplain = \"127.0.0.1:{plain}\""));
    std::fs::write(gateway.path("gateway.toml"), config).unwrap();
    gateway.restart().await;
    crate::support::until_listening(plain).await;
    let ask = |path: &str, more: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n{more}connection: close\r\n\r\n");
        async move { raw_plain(plain, &request).await.unwrap() }
    };

    let proxied = ask("/api", "").await;
    assert!(proxied.ends_with(&service.port.to_string()), "{proxied}");
    assert_eq!(service.requests()[0].field("x-forwarded-proto"), Some("http"));
    assert!(!proxied.contains("strict-transport-security"), "RFC 6797: not in the clear: {proxied}");
    assert!(ask("/", "").await.contains("<title>start"));
    let balanced = ask("/api", "x-forwarded-proto: https\r\nx-forwarded-for: 9.9.9.9\r\n").await;
    assert!(balanced.contains("strict-transport-security"), "the client sees HTTPS: {balanced}");
    assert_eq!(service.requests()[1].field("x-forwarded-proto"), Some("https"));
    let refused = ask("/api/../x", "").await;
    assert_eq!(status(&refused), 400, "the same rules: {refused}");
    assert_eq!(
        status(
            &raw_plain(gateway.http, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap()
        ),
        308
    );
}

#[tokio::test]
async fn a_busy_service_has_a_queue_with_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (go, wait) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut wait = wait.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                while let Ok(size) = stream.read(&mut head).await {
                    let is_check = head[..size].starts_with(b"GET /health");
                    if !is_check {
                        wait.wait_for(|go| *go).await.unwrap();
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    if size == 0 || is_check {
                        return;
                    }
                }
            });
        }
    });
    let gateway = Gateway::configured(&format!(
        "[upstream.api]\nservers = [\"127.0.0.1:{port}\"]\nmax_in_flight = 1\nmax_pending = 1\npending_timeout = \"20s\"\n\
         [[route]]\npath = \"/api\"\nupstream = \"api\"\n"
    ))
    .await;
    let [(_, client), (_, other)] = both(&gateway);
    let gauge = async |name: &str| {
        let metrics = reqwest::get(format!("http://127.0.0.1:{}/metrics", gateway.admin)).await.unwrap();
        let line = format!("irongate_gateway_upstream_{name}{{upstream=\"api\"}} 1");
        metrics.text().await.unwrap().contains(&line)
    };
    let asked = |client: &reqwest::Client| tokio::spawn(client.get(gateway.url("/api")).send());
    let first = asked(&client);
    crate::support::until("the first to be in flight", || gauge("in_flight")).await;
    let second = asked(&other);
    crate::support::until("the second to wait", || gauge("pending")).await;
    let third = client.get(gateway.url("/api")).send().await.unwrap();
    assert_eq!(third.status(), 503);
    assert!(third.headers().contains_key("retry-after"));
    let problem: serde_json::Value = third.json().await.unwrap();
    assert_eq!(problem["type"], "urn:irongate:problem:upstream-overloaded");
    go.send_replace(true);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

/// A service that reads requests as they come and answers each `POST` with 401 as soon as it has read the head. Whether it
/// `listens` to the rest of a body, or closes.
async fn early_refuser(listens: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut input = Vec::new();
                loop {
                    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
                        if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                            return;
                        }
                        continue;
                    };
                    let head = String::from_utf8_lossy(&input[..end]).to_ascii_lowercase();
                    input.drain(..end + 4);
                    let refuses = head.starts_with("post");
                    let answer: &[u8] = if refuses {
                        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno"
                    } else {
                        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
                    };
                    if stream.write_all(answer).await.is_err() || (refuses && !listens) {
                        return;
                    }
                    let length = head.split("content-length: ").nth(1);
                    let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
                    while input.len() < length {
                        if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    input.drain(..length);
                }
            });
        }
    });
    port
}

async fn before_refuser(port: u16) -> Gateway {
    // One thread: the next request would find the connection that this one leaves.
    let one_thread = vec![("IRONGATE_GATEWAY__LISTEN__THREADS".to_owned(), "1".to_owned())];
    let config = format!(
        "[upstream.api]\nservers = [\"127.0.0.1:{port}\"]\nhealth = {{ interval = \"1h\", path = \"\" }}\n\
         [[route]]\npath = \"/api\"\nupstream = \"api\"\nbody = \"10MiB\"\n"
    );
    Gateway::configured_in(&config, one_thread).await
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_leaves_no_room_for_a_smuggled_request() {
    let gateway = before_refuser(early_refuser(true).await).await;
    let mut attacker = connect(&gateway, &[b"http/1.1"]).await;
    let head = "POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 75000\r\n\r\n";
    attacker.write_all(format!("{head}{}", "x".repeat(70_000)).as_bytes()).await.unwrap();
    attacker.flush().await.unwrap();
    let refused = crate::support::client::read_to_close(&mut attacker).await;
    assert_eq!(status(&refused), 401, "{refused}");
    // The service still waits for five thousand bytes of that body; another's request must not become them.
    for (name, client) in both(&gateway) {
        for _ in 0..3 {
            let asked = client.get(gateway.url("/api")).timeout(Duration::from_secs(5)).send().await;
            assert_eq!(asked.expect(name).status(), 200, "{name}");
        }
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_client_though_nobody_reads_its_body() {
    for listens in [true, false] {
        let gateway = before_refuser(early_refuser(listens).await).await;
        for (name, client) in both(&gateway) {
            for _ in 0..5 {
                let answer = client.post(gateway.url("/api")).body(vec![b'x'; 1_000_000]).send().await;
                assert_eq!(answer.expect(name).status(), 401, "{name}, listens: {listens}");
            }
        }
    }
}

#[tokio::test]
async fn a_route_sets_fields_for_the_service_and_on_its_answers() {
    let service = Service::answering(|_| {
        b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\nx-internal: secret\r\ncontent-length: 2\r\n\r\nok"
            .to_vec()
    })
    .await;
    let gateway = Gateway::with(
        &[&service],
        "",
        "request_headers = { host = \"api.internal\", x-real-ip = \"{client}\", x-url = \"{scheme}://{host}/\", cookie = \"\" }\n\
         response_headers = { cache-control = \"public\", x-internal = \"\" }",
    )
    .await;
    for (name, client) in both(&gateway) {
        let request = client.get(gateway.url("/api")).header("x-real-ip", "6.6.6.6").header("cookie", "a=b");
        let answer = request.send().await.unwrap();
        assert_eq!(
            answer.headers().get_all("cache-control").iter().collect::<Vec<_>>(),
            ["public"],
            "{name}"
        );
        assert!(!answer.headers().contains_key("x-internal"), "{name}");
        let got = service.requests().pop().unwrap();
        assert_eq!(got.fields("host"), ["api.internal"], "{name}");
        assert_eq!(got.fields("x-real-ip"), ["127.0.0.1"], "{name}");
        let own = format!("localhost:{}", gateway.https);
        assert_eq!(got.field("x-url"), Some(format!("https://{own}/").as_str()), "{name}");
        assert_eq!(got.field("x-forwarded-host"), Some(own.as_str()), "{name}: what the client asked for");
        assert_eq!(got.field("cookie"), None, "{name}");
    }
}

#[tokio::test]
async fn what_a_trusted_proxy_says_of_the_client_is_carried_on() {
    let service = Service::start().await;
    let gateway = Gateway::with(&[&service], "", "\n[client]\ntrusted_proxies = \"127.0.0.0/8\"").await;
    let request = gateway
        .client()
        .get(gateway.url("/api"))
        .header("x-forwarded-for", "9.9.9.9")
        .header("x-forwarded-host", "app.example:8443")
        .header("x-request-id", "abcdefgh-1");
    assert_eq!(request.send().await.unwrap().headers()["x-request-id"], "abcdefgh-1");
    let got = service.requests().pop().unwrap();
    assert_eq!(got.field("x-forwarded-for"), Some("9.9.9.9, 127.0.0.1"));
    assert_eq!(got.field("x-forwarded-host"), Some("app.example:8443"));
    assert_eq!(got.field("forwarded"), Some("for=9.9.9.9;host=\"app.example:8443\";proto=https"));
}

#[tokio::test]
async fn the_dashboard_leaves_its_path_to_an_application_that_wants_it() {
    let service = Service::start().await;
    let gateway = Gateway::configured_in(
        &format!(
            "[upstream.api]\nservers = [{:?}]\n[[route]]\npath = \"/admin\"\nupstream = \"api\"\n",
            service.address()
        ),
        vec![("IRONGATE_GATEWAY__ADMIN__MAIN_PORT".to_owned(), "false".to_owned())],
    )
    .await;
    let ask = gateway.client().get(gateway.url("/admin/users"));
    assert_eq!(ask.send().await.unwrap().text().await.unwrap(), service.port.to_string());
    assert_eq!(gateway.state().await["config"]["version"], 1, "the operators' listener has it");
}
