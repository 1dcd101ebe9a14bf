//! What every service answers by itself.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{HttpResponse, get, post};
use irongate_shared::{
    config::Listen,
    health::{Health, Need},
    problem::Document,
    service::{Service, input::Body},
};
use irongate_test_servers::{eventually, free_port};
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prometheus::Registry;
use prost::Message as _;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_actix_web::service_config::ServiceConfig;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Greeting {
    name: String,
}

static SLOW_BEGAN: AtomicBool = AtomicBool::new(false);

/// Greets.
#[utoipa::path(responses((status = 200, description = "A greeting")))]
#[post("/try/greet")]
async fn greet(greeting: Body<Greeting>) -> HttpResponse {
    HttpResponse::Ok().body(greeting.0.name)
}

#[utoipa::path(responses((status = 200, description = "After a while")))]
#[get("/try/slow")]
async fn slow() -> HttpResponse {
    SLOW_BEGAN.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(500)).await;
    HttpResponse::Ok().body("slow but sure")
}

fn routes(config: &mut ServiceConfig<'_>) {
    config.service(greet).service(slow);
}

fn document() -> OpenApi {
    OpenApiBuilder::new().info(InfoBuilder::new().title("Try <me>").version("1").build()).build()
}

fn service(listen: Listen, metrics: Option<Listen>, health: Health) -> Service {
    Service {
        name: "try-svc",
        prefix: "/try",
        listen,
        metrics,
        workers: 1,
        document: document(),
        health,
        registry: Registry::new(),
        on_connect: None,
    }
}

struct Running {
    base: String,
    metrics: String,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    async fn start(health: Health) -> Self {
        irongate_shared::install_crypto_provider();
        let (port, metrics) = (free_port(), free_port());
        let listen = |port| format!("127.0.0.1:{port}").parse::<Listen>().unwrap();
        let stop = CancellationToken::new();
        let token = stop.clone();
        let service = service(listen(port), Some(listen(metrics)), health);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(service.run(routes, token)).unwrap();
        });
        let running = Self {
            base: format!("http://127.0.0.1:{port}"),
            metrics: format!("http://127.0.0.1:{metrics}/metrics"),
            stop,
            thread: Some(thread),
        };
        eventually("the service to listen", Duration::from_secs(10), || async {
            reqwest::get(format!("{}/health/live", running.base)).await.is_ok()
        })
        .await;
        running
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.base)).await.unwrap()
    }

    async fn greet(&self, body: impl Into<reqwest::Body>, media_type: &str) -> reqwest::Response {
        let request = reqwest::Client::new().post(format!("{}/try/greet", self.base));
        request.header("content-type", media_type).body(body).send().await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn problem(response: reqwest::Response) -> Document {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let document: Document = response.json().await.unwrap();
    assert_eq!(document.request_id, Some(id));
    document
}

fn healthy() -> Health {
    Health::new("try-svc")
}

#[tokio::test]
async fn an_address_that_is_none_and_a_method_that_does_not_fit_are_told_apart() {
    let app = Running::start(healthy()).await;

    let nothing = problem(app.get("/try/nothing").await).await;
    assert_eq!((nothing.status, nothing.instance.as_deref()), (404, Some("/try/nothing")));

    let wrong = app.get("/try/greet").await;
    assert_eq!(wrong.headers()["allow"], "POST");
    assert_eq!(problem(wrong).await.status, 405);
}

#[tokio::test]
async fn bad_input_is_refused_by_what_is_wrong_with_it() {
    let app = Running::start(healthy()).await;
    let json = "application/json";

    assert_eq!(app.greet(r#"{"name":"Ann"}"#, json).await.text().await.unwrap(), "Ann");
    assert_eq!(problem(app.greet("{", json).await).await.status, 400);
    assert_eq!(problem(app.greet(r#"{"name":"Ann"}"#, "text/plain").await).await.status, 415);
    assert_eq!(problem(app.greet(vec![b' '; 70_000], json).await).await.status, 413);
    let wrong = problem(app.greet(r#"{"name":1}"#, json).await).await;
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.errors["name"], ["invalid type: integer `1`, expected a string"]);
    assert_eq!(problem(app.get("/try/%00").await).await.status, 400);
}

#[tokio::test]
async fn the_gateways_request_id_is_kept_and_a_hostile_one_is_not() {
    let app = Running::start(healthy()).await;
    let ask = |id: &'static str| {
        reqwest::Client::new().get(format!("{}/try/nothing", app.base)).header("x-request-id", id).send()
    };

    assert_eq!(
        problem(ask("from-gateway.1").await.unwrap()).await.request_id.as_deref(),
        Some("from-gateway.1")
    );
    assert_ne!(problem(ask("<script>").await.unwrap()).await.request_id.as_deref(), Some("<script>"));
}

#[tokio::test]
async fn readiness_asks_and_liveness_does_not() {
    let away = || async { Err::<(), _>("refused".to_owned()) };
    let app = Running::start(Health::new("try-svc").check("database", Need::Required, away)).await;

    let ready = app.get("/health").await;
    assert_eq!(ready.status(), 503);
    let report: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(report["status"], "fail");
    assert_eq!(report["checks"]["database"]["reason"], "refused");
    assert_eq!(app.get("/health/live").await.status(), 200);
}

#[tokio::test]
async fn it_describes_and_counts_itself() {
    let app = Running::start(healthy()).await;

    let document: serde_json::Value = app.get("/try/openapi.json").await.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/try/greet"]["post"].is_object());
    let page = app.get("/try/docs").await.text().await.unwrap();
    assert!(page.contains("Try &lt;me&gt;") && page.contains("/try/greet"), "{page}");
    let metrics = reqwest::get(&app.metrics).await.unwrap().text().await.unwrap();
    let counted = r#"http_requests_total{method="GET",route="/try/openapi.json",status="200"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_service_stops() {
    let mut app = Running::start(healthy()).await;
    let url = format!("{}/try/slow", app.base);
    let in_flight = tokio::spawn(async move { reqwest::get(url).await.unwrap().text().await.unwrap() });
    eventually("the request to arrive", Duration::from_secs(5), || async {
        SLOW_BEGAN.load(Ordering::SeqCst)
    })
    .await;

    app.stop.cancel();
    let thread = app.thread.take().unwrap();

    assert_eq!(in_flight.await.unwrap(), "slow but sure");
    thread.join().unwrap();
    assert!(reqwest::get(format!("{}/health/live", app.base)).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen: Listen = holder.local_addr().unwrap().to_string().parse().unwrap();
    let wanted = format!("cannot listen on {listen}");

    let thread = std::thread::spawn(move || {
        let service = service(listen, None, healthy());
        actix_web::rt::System::new().block_on(service.run(routes, CancellationToken::new()))
    });

    let refused = thread.join().unwrap().unwrap_err().to_string();
    assert_eq!(refused, wanted);
}

#[tokio::test]
async fn a_socket_that_a_killed_process_left_is_taken_over_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("try.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listen = Listen::Unix(path.clone());
    let stop = CancellationToken::new();
    let (token, first) = (stop.clone(), service(listen.clone(), None, healthy()));
    let thread = std::thread::spawn(move || actix_web::rt::System::new().block_on(first.run(routes, token)));
    eventually("the service to listen", Duration::from_secs(10), || async {
        std::os::unix::net::UnixStream::connect(&path).is_ok()
    })
    .await;

    let second = service(listen, None, healthy());
    let refused = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(second.run(routes, CancellationToken::new()))
    });

    let refused = refused.join().unwrap().unwrap_err().to_string();
    assert!(refused.starts_with("another process listens on unix:"), "{refused}");
    stop.cancel();
    thread.join().unwrap().unwrap();
}

/// Takes traces as a collector does.
async fn collector() -> (String, Arc<Mutex<Vec<Span>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let spans = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&spans);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut text, mut body_at, mut length) = (Vec::new(), 0, usize::MAX);
            while text.len() - body_at < length && stream.read_buf(&mut text).await.unwrap_or(0) > 0 {
                let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
                let field = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                (body_at, length) = (end + 4, field.parse().unwrap());
            }
            let request = ExportTraceServiceRequest::decode(&text[body_at..]).unwrap();
            let all = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            told.lock().unwrap().extend(all.flat_map(|scope| scope.spans));
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    (url, spans)
}

#[tokio::test]
async fn a_collector_is_told_of_each_request_as_a_part_of_its_trace() {
    irongate_shared::install_crypto_provider();
    let (url, spans) = collector().await;
    let env = BTreeMap::from([("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), url)]);
    irongate_shared::traces::start("try-svc", &env).unwrap();
    let app = Running::start(healthy()).await;

    let request = reqwest::Client::new().post(format!("{}/try/greet", app.base));
    let request = request.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    request.header("content-type", "application/json").body(r#"{"name":"ann"}"#).send().await.unwrap();

    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let of_it = || spans.lock().unwrap().iter().find(|span| span.trace_id == trace).cloned();
    eventually("the span", Duration::from_secs(20), || async { of_it().is_some() }).await;
    let span = of_it().unwrap();
    assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(span.name, "POST /try/greet");
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
}
