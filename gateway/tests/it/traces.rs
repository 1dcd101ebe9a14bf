//! What a collector of OpenTelemetry traces is told.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;

use crate::support::{Gateway, Http2Service, Service, service::ok, until};

/// Takes traces as a collector does.
struct Collector(Service);

impl Collector {
    async fn start() -> Self {
        Self(Service::answering(|_| ok("")).await)
    }

    fn environment(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.0.address());
        let all = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
        all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for got in self.0.requests() {
            assert!(got.head.starts_with("POST /v1/traces HTTP/1.1"), "{}", got.head);
            assert_eq!(got.field("content-type"), Some("application/x-protobuf"));
            let told = ExportTraceServiceRequest::decode(&got.body[..]).unwrap();
            for resource in told.resource_spans {
                let service = &resource.resource.unwrap().attributes[0];
                let name = service.value.clone().unwrap().value.unwrap();
                assert_eq!(
                    (service.key.as_str(), name),
                    ("service.name", Value::StringValue("gateway".into()))
                );
                spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        spans
    }

    /// The spans below and at the request for this path, as soon as there are so many.
    async fn of(&self, path: &str, count: usize) -> (Span, Vec<Span>) {
        until(&format!("{count} spans of {path}"), || async {
            self.family(path).is_some_and(|(_, all)| all.len() == count)
        })
        .await;
        self.family(path).unwrap()
    }

    fn family(&self, path: &str) -> Option<(Span, Vec<Span>)> {
        let spans = self.spans();
        let server = spans.iter().find(|span| attribute(span, "url.path").as_deref() == Some(path))?.clone();
        let children = spans.into_iter().filter(|span| span.parent_span_id == server.span_id).collect();
        Some((server, children))
    }
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key == name)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

#[tokio::test]
async fn a_request_is_a_span_and_each_attempt_one_below_it() {
    let collector = Collector::start().await;
    let (good, bad) = (Service::start().await, Service::answering(|_| Vec::new()).await);
    let gateway = Gateway::configured_in(
        &format!(
            "[upstream.api]\nservers = [{:?}, \"{} backup\"]\nejection = {{ failures = 0 }}\n\
             [[route]]\npath = \"/api\"\nupstream = \"api\"\n",
            bad.address(),
            good.address()
        ),
        collector.environment(&[("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")]),
    )
    .await;
    gateway.until_server_is(&good.address(), "up").await;
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = gateway.client().get(gateway.url("/api/a?token=secret")).header("traceparent", given);
    assert_eq!(request.send().await.unwrap().status(), 200);

    let (server, tries) = collector.of("/api/a", 2).await;
    assert_eq!(hex::encode(&server.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex::encode(&server.parent_span_id), "00f067aa0ba902b7");
    assert_eq!((server.name.as_str(), server.kind), ("GET /api", SpanKind::Server as i32));
    assert_eq!(attribute(&server, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(&server, "network.protocol.version").as_deref(), Some("2"));
    assert_eq!(attribute(&tries[0], "server.address").as_deref(), Some(bad.address().as_str()));
    assert_eq!(attribute(&tries[0], "error.type").as_deref(), Some("upstream-closed"));
    assert_eq!(attribute(&tries[1], "server.address").as_deref(), Some(good.address().as_str()));
    assert_eq!(attribute(&tries[1], "http.response.status_code").as_deref(), Some("200"));
    for one in &tries {
        assert_eq!((one.kind, &one.trace_id), (SpanKind::Client as i32, &server.trace_id));
        let within = server.start_time_unix_nano..=server.end_time_unix_nano;
        assert!(
            within.contains(&one.start_time_unix_nano) && within.contains(&one.end_time_unix_nano),
            "{one:?}"
        );
    }
    // The service hears of our span, and goes on below it.
    let carried = good.requests()[0].field("traceparent").unwrap().to_owned();
    assert_eq!(carried, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", hex::encode(&server.span_id)));
    assert!(!format!("{server:?}").contains("secret"), "queries are not told");
    assert_eq!(collector.0.requests()[0].field("x-key"), Some("secret"));
}

#[tokio::test]
async fn the_full_lane_tells_the_same_and_unsampled_traces_are_not_told() {
    let collector = Collector::start().await;
    let service = Http2Service::start().await;
    let gateway = Gateway::configured_in(
        &format!(
            "[upstream.api]\nservers = [{:?}]\nprotocol = \"h2c\"\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n",
            service.address()
        ),
        collector.environment(&[("OTEL_TRACES_SAMPLER_ARG", "0")]),
    )
    .await;
    let ask = async |path: &str, flags: &str| {
        let given = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let request = gateway.client().get(gateway.url(path)).header("traceparent", given);
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    ask("/api/untold", "00").await;
    assert_eq!(gateway.client().get(gateway.url("/api/unlucky")).send().await.unwrap().status(), 200);
    ask("/api/told", "01").await;
    let (_, tries) = collector.of("/api/told", 1).await;
    assert_eq!(attribute(&tries[0], "server.address"), Some(service.address()));
    assert!(collector.family("/api/untold").is_none() && collector.family("/api/unlucky").is_none());
}

#[tokio::test]
async fn what_is_told_last_is_told_before_the_end_and_no_collector_holds_a_request() {
    let collector = Collector::start().await;
    let mut gateway = Gateway::configured_in("", collector.environment(&[])).await;
    gateway.client().get(gateway.url("/last")).send().await.unwrap();
    gateway.signal("TERM");
    assert_eq!(gateway.ended().await, Some(0));
    assert!(collector.family("/last").is_some());

    let nobody = vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:1".to_owned())];
    let gateway = Gateway::configured_in("", nobody).await;
    assert_eq!(gateway.client().get(gateway.url("/")).send().await.unwrap().status(), 200);
    until("a word about it", || async { gateway.log().contains("does not take them") }).await;
}
