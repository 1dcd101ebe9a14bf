//! `docs/from-nginx.md`: NGINX with a snippet of its left side and the gateway with the one below are asked the same.

use std::time::Duration;

use reqwest::{Method, header::HeaderMap};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    support::{
        Gateway, Nginx, Service,
        client::{connect, raw, raw_plain, status},
        free_port, until,
    },
    websocket::{HANDSHAKE, read_until, websocket_service},
};

const DOCUMENT: &str = include_str!("../../../docs/from-nginx.md");

/// The snippets of a language in one section of the document.
fn snippets(section: &str, language: &str) -> Vec<String> {
    let text = DOCUMENT.split("\n## ").find(|text| text.starts_with(&format!("{section}\n")));
    let fence = format!("```{language}\n");
    let blocks = text.unwrap_or_else(|| panic!("a section {section}")).split(&fence).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// With every address of the document replaced by one of this machine. Each must be there.
fn moved(mut text: String, places: &[(&str, String)]) -> String {
    for (from, to) in places {
        assert!(text.contains(from), "{from} in\n{text}");
        text = text.replace(from, to);
    }
    text
}

struct Pair {
    nginx: Nginx,
    gateway: Gateway,
}

/// What came back, from whom.
struct Answer {
    who: &'static str,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> String {
        let values: Vec<_> = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        values.join(", ")
    }
}

impl Pair {
    /// Both with their first snippet of this section, `more` beside NGINX's.
    async fn of(section: &str, places: &[(&str, String)], more: &str) -> Self {
        let (nginx, gateway) = (snippets(section, "nginx").remove(0), snippets(section, "toml").remove(0));
        let nginx = Nginx::start(&format!("{}\n{more}", moved(nginx, places))).await;
        // The tests have a table of that name already.
        let gateway = moved(gateway, places).replace("[admin]\nmain_port = false\n", "");
        let on_main_port = section != "location";
        let variable = ("IRONGATE_GATEWAY__ADMIN__MAIN_PORT".to_owned(), on_main_port.to_string());
        Self { nginx, gateway: Gateway::configured_in(&gateway, vec![variable]).await }
    }

    /// Asks NGINX, then the gateway.
    async fn ask(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> [Answer; 2] {
        let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let secure = self.gateway.client_builder().http1_only().build().unwrap();
        let ask = async |who, client: &reqwest::Client, url: String| {
            let mut request = client.request(method.clone(), url);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let answer = request.timeout(Duration::from_secs(20)).send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Answer { who, status, headers, body: answer.bytes().await.unwrap().to_vec() }
        };
        [
            ask("NGINX", &plain, self.nginx.url(path)).await,
            ask("the gateway", &secure, self.gateway.url(path)).await,
        ]
    }

    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> [Answer; 2] {
        self.ask(Method::GET, path, fields).await
    }

    /// The statuses that both give to the very same bytes.
    async fn say(&self, request: &str) -> (u16, u16) {
        let nginx = raw_plain(self.nginx.port, request).await.unwrap();
        (status(&nginx), status(&raw(&self.gateway, request).await))
    }
}

fn statuses(answers: &[Answer; 2]) -> (u16, u16) {
    (answers[0].status, answers[1].status)
}

#[test]
fn every_snippet_is_tried_below() {
    let sections: Vec<&str> = DOCUMENT
        .split("\n## ")
        .skip(1)
        .filter(|text| text.contains("```"))
        .map(|text| text.lines().next().unwrap())
        .collect();
    assert_eq!(
        sections,
        ["Server and TLS", "proxy_pass", "location", "WebSocket and streaming", "Files", "Limits"]
    );
    let count = |section: &&str| snippets(section, "toml").len();
    assert_eq!(sections.iter().map(count).collect::<Vec<_>>(), [1, 1, 1, 1, 2, 1]);
}

#[tokio::test]
async fn a_server_with_tls() {
    let listen = "[listen]\nhttp = \"0.0.0.0:80\"\nhttps = \"0.0.0.0:443\"\n".to_owned();
    // The tests' own addresses, and an authority that is not asked: nobody is there.
    let text = moved(snippets("Server and TLS", "toml").remove(0), &[(&listen, String::new())]);
    let nobody = format!("https://127.0.0.1:{}/directory", free_port());
    let gateway =
        Gateway::configured_in(&text, vec![("IRONGATE_GATEWAY__TLS__ACME__DIRECTORY".to_owned(), nobody)])
            .await;
    let request = "POST /a?b HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n";
    let redirect = raw_plain(gateway.http, request).await.unwrap();
    assert!(redirect.starts_with("HTTP/1.1 308 "), "{redirect}");
    assert!(
        redirect.contains(&format!("location: https://app.example:{}/a?b\r\n", gateway.https)),
        "{redirect}"
    );
    assert_eq!(gateway.state().await["certificate"]["names"][0], "app.example");
    let address = ([127, 0, 0, 1], gateway.https).into();
    let client = gateway.client_builder().resolve("app.example", address).build().unwrap();
    let answer = client.get(format!("https://app.example:{}/", gateway.https)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=15552000; includeSubDomains");
}

#[tokio::test]
async fn proxy_pass() {
    let service = || {
        Service::answering(|_| {
            b"HTTP/1.1 200 OK\r\nx-internal: secret\r\ncontent-length: 2\r\n\r\nok".to_vec()
        })
    };
    let (heavy, light, backup) = (service().await, service().await, service().await);
    let places = [
        ("10.0.0.1:8000", heavy.address()),
        ("10.0.0.2:8000", light.address()),
        ("10.0.0.3:8000", backup.address()),
    ];
    let pair = Pair::of("proxy_pass", &places, "").await;
    for server in [&heavy, &light, &backup] {
        pair.gateway.until_server_is(&server.address(), "up").await;
    }
    let came = || [heavy.requests(), light.requests(), backup.requests()].map(|requests| requests.len());

    let fields = [("host", "app.example"), ("x-tenant", "red"), ("x-real-ip", "6.6.6.6")];
    for answer in pair.get("/api/a?b", &fields).await {
        assert_eq!((answer.status, answer.header("x-internal")), (200, String::new()), "{}", answer.who);
    }
    let got: Vec<_> = heavy.requests().into_iter().chain(light.requests()).collect();
    assert_eq!(got.len(), 2);
    for got in got {
        assert!(got.head.starts_with("GET /v1/a?b HTTP/1."), "{}", got.head);
        for (name, value) in [
            ("host", "app.example"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x-tenant", "green"),
        ] {
            assert_eq!(got.fields(name), [value], "{}", got.head);
        }
    }
    assert_eq!(statuses(&pair.get("/apis", &[]).await), (404, 404), "the prefix ends at a slash");
    let large =
        "POST /api/a HTTP/1.1\r\nhost: app.example\r\ncontent-length: 11000000\r\nconnection: close\r\n\r\n";
    assert_eq!(pair.say(large).await, (413, 413));

    for _ in 0..80 {
        assert_eq!(statuses(&pair.get("/api/a", &[]).await), (200, 200));
    }
    let [by_weight, rest, spare] = came();
    assert!(by_weight > rest && rest > 20 && spare == 0, "{by_weight} {rest} {spare}");
    drop((heavy, light));
    for _ in 0..10 {
        assert_eq!(statuses(&pair.get("/api/a", &[]).await), (200, 200), "the spare one answers");
    }
    assert!(!backup.requests().is_empty());
}

#[tokio::test]
async fn location() {
    let app = Service::start().await;
    let pair = Pair::of("location", &[("127.0.0.1:8000", app.address())], "").await;
    for host in ["api.app.example", "img.cdn.example", "a.b.cdn.example"] {
        let answers = pair.get("/x", &[("host", host)]).await;
        assert_eq!(statuses(&answers), (200, 200), "{host}");
        assert_eq!(answers[0].body, answers[1].body, "{host}");
    }
    // A server of NGINX that is the only one answers every name.
    assert_eq!(statuses(&pair.get("/x", &[("host", "cdn.example")]).await), (200, 404));
    let posted = pair.ask(Method::POST, "/x", &[("host", "api.app.example")]).await;
    assert_eq!((statuses(&posted), posted[1].header("allow").as_str()), ((403, 405), "GET, HEAD"));
    assert_eq!(statuses(&pair.get("/admin/users", &[("host", "api.app.example")]).await), (403, 403));
    for answer in pair.get("/team/members", &[("host", "api.app.example")]).await {
        assert_eq!((answer.status, answer.header("x-team").as_str()), (200, "web"), "{}", answer.who);
    }
    for answer in pair.get("/old/a?b=c", &[("host", "img.cdn.example")]).await {
        let location = answer.header("location");
        assert_eq!(
            (answer.status, location.as_str()),
            (301, "https://new.example/old/a?b=c"),
            "{}",
            answer.who
        );
    }
}

#[tokio::test]
async fn websocket_and_streaming() {
    let service = websocket_service().await;
    let places = [("chat-svc:7003", format!("127.0.0.1:{service}"))];
    let pair = Pair::of("WebSocket and streaming", &places, "").await;
    let mut nginx = TcpStream::connect(("127.0.0.1", pair.nginx.port)).await.unwrap();
    let mut gateway = connect(&pair.gateway, &[b"http/1.1"]).await;
    async fn talk<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S) {
        stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
        let seen = read_until(stream, b"\x81\x05hello").await;
        assert!(seen.starts_with(b"HTTP/1.1 101 "));
        stream.write_all(b"\x81\x02hi").await.unwrap();
        read_until(stream, b"\x81\x02hi").await;
    }
    talk(&mut nginx).await;
    talk(&mut gateway).await;
}

#[tokio::test]
async fn files() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
    let page = format!("<!doctype html><title>start</title>{}", "<p>hello</p>".repeat(200));
    write("index.html", &page);
    write("app.0123abcd.js", &"export const x = 1;\n".repeat(200));
    write("pre.txt", &"plain ".repeat(200));
    write("pre.txt.gz", "\x1f not really gzip");
    write(".env", "SECRET");
    let pair = Pair::of("Files", &[("/srv/app", root.path().display().to_string())], "").await;
    until("the files", || async { pair.get("/pre.txt", &[]).await[1].status == 200 }).await;

    for answer in pair.get("/", &[]).await {
        assert_eq!((answer.status, answer.body.as_slice()), (200, page.as_bytes()), "{}", answer.who);
        let tag = [("if-none-match", answer.header("etag"))];
        let same = pair.get("/", &tag.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
        let own = same.iter().find(|own| own.who == answer.who).unwrap();
        assert_eq!(own.status, 304, "{}", answer.who);
    }
    // The gateway compresses ahead of time, behind its first answers.
    let zipped = [("accept-encoding", "gzip")];
    until("a compressed page", || async {
        pair.get("/", &zipped).await[1].header("content-encoding") == "gzip"
    })
    .await;
    for answer in pair.get("/", &zipped).await {
        assert_eq!(answer.header("content-encoding"), "gzip", "{}", answer.who);
        assert!(answer.header("vary").to_ascii_lowercase().contains("accept-encoding"), "{}", answer.who);
        assert!(answer.body.len() < page.len() / 4, "{}", answer.who);
    }
    for answer in pair.get("/pre.txt", &[("accept-encoding", "gzip")]).await {
        assert_eq!(answer.body, b"\x1f not really gzip", "{}: the file beside it", answer.who);
    }
    for answer in pair.get("/app.0123abcd.js", &[("range", "bytes=0-4")]).await {
        assert_eq!((answer.status, answer.body.as_slice()), (206, &b"expor"[..]), "{}", answer.who);
        assert_eq!(answer.header("content-range"), "bytes 0-4/4000", "{}", answer.who);
        let control = answer.header("cache-control");
        assert!(
            control.contains("immutable") && control.contains("max-age=31536000"),
            "{}: {control}",
            answer.who
        );
    }
    for answer in pair.get("/rooms/42", &[("accept", "text/html")]).await {
        assert_eq!((answer.status, answer.body.as_slice()), (200, page.as_bytes()), "{}", answer.who);
    }
    assert_eq!(statuses(&pair.get("/missing.js", &[]).await), (200, 404), "a missing script stays 404 here");
    assert_eq!(statuses(&pair.get("/.env", &[]).await), (403, 404));
}

#[tokio::test]
async fn compression() {
    let service = Service::answering(|got| {
        let kind = if got.head.contains("/text") { "text/plain" } else { "application/json" };
        let size = if got.head.contains("/small") { 999 } else { 1001 };
        let body = "1".repeat(size);
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\n\r\n{body}")
            .into_bytes()
    })
    .await;
    let text = snippets("Files", "toml").remove(1);
    let gateway = Gateway::with(&[&service], "", &text).await;
    for (path, coding) in [("/api/json", "gzip"), ("/api/small", ""), ("/api/text", "")] {
        let answer =
            gateway.client().get(gateway.url(path)).header("accept-encoding", "gzip").send().await.unwrap();
        let found = answer.headers().get("content-encoding").map_or("", |value| value.to_str().unwrap());
        assert_eq!(found, coding, "{path}");
    }
}

#[tokio::test]
async fn limits() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("index.html"), "start").unwrap();
    // The client's word is taken from this machine.
    let places = [("10.0.0.0/8", "127.0.0.0/8".to_owned())];
    let pair = Pair::of("Limits", &places, &format!("root {};", root.path().display())).await;
    // A hundred requests of one client at once.
    let ask = |last: &str| format!("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 9.9.9.9\r\n{last}\r\n");
    let many = format!("{}{}", ask("").repeat(99), ask("connection: close\r\n"));
    let answers = [raw_plain(pair.nginx.port, &many).await.unwrap(), raw(&pair.gateway, &many).await];
    for (answers, refusal) in answers.iter().zip(["HTTP/1.1 503 ", "HTTP/1.1 429 "]) {
        let (admitted, refused) =
            (answers.matches("HTTP/1.1 200 ").count(), answers.matches(refusal).count());
        // Twenty saved up, and ten for each second that this took.
        assert!((20..60).contains(&admitted) && admitted + refused == 100, "{admitted} and {refused}");
    }
    assert_eq!(
        statuses(&pair.get("/", &[("x-forwarded-for", "9.9.9.8")]).await),
        (200, 200),
        "somebody else"
    );
    let head = |more: &str| format!("GET / HTTP/1.1\r\nhost: a\r\n{more}connection: close\r\n\r\n");
    let long = format!("x: {}\r\n", "y".repeat(9000));
    assert_eq!(pair.say(&head(&long.repeat(5))).await, (400, 431));
    let client = "x-forwarded-for: 9.9.9.7\r\n";
    let large =
        format!("POST / HTTP/1.1\r\nhost: a\r\n{client}content-length: 1100000\r\nconnection: close\r\n\r\n");
    assert_eq!(pair.say(&large).await, (413, 413));
    until("the lines", || async { pair.gateway.access_log().contains("9.9.9.9 - - [") }).await;
    assert!(pair.gateway.access_log().contains("\"GET / HTTP/1.1\" 200 "), "{}", pair.gateway.access_log());

    let mut open = Vec::new();
    for _ in 0..120 {
        open.push(TcpStream::connect(("127.0.0.1", pair.gateway.https)).await.unwrap());
    }
    let mut closed = 0;
    for stream in &mut open {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut byte)).await;
        closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert!(closed >= 20, "{closed} of 120 connections were refused");
}
