//! Spans of requests for an OpenTelemetry collector (OTLP over HTTP, protobuf).
//!
//! Nothing of this happens unless `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector. A request never waits for it: spans
//! go into a bounded queue that a thread of its own empties, and what does not fit is counted and dropped.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as Wire, Status, span::SpanKind, status::StatusCode},
};
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::config::{ConfigError, Env};

/// Spans that may wait to be sent.
const WAITING: usize = 4096;
const BATCH: usize = 512;
/// How long a span waits for company.
const GATHER: Duration = Duration::from_secs(1);
/// For the collector to take a batch.
const SEND_LIMIT: Duration = Duration::from_secs(10);

static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// Where a request stands in its trace (W3C Trace Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    pub span: u64,
    pub sampled: bool,
}

impl Context {
    /// Reads a `traceparent` of version 00; `None` for everything else.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (Some("00"), Some(trace), Some(span), Some(flags), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// A trace that begins here.
    pub fn root(sampled: bool) -> Self {
        Self { trace: fastrand::u128(1..), span: fastrand::u64(1..), sampled }
    }

    /// Another span of the same trace.
    pub fn child(self) -> Self {
        Self { span: fastrand::u64(1..), ..self }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// We were asked.
    Server,
    /// We asked somebody.
    Client,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
}

/// Something that took time.
#[derive(Debug, Clone)]
pub struct Span {
    pub context: Context,
    pub parent: Option<u64>,
    pub kind: Kind,
    pub name: String,
    pub began: Instant,
    pub ended: Instant,
    /// Names of OpenTelemetry's semantic conventions.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, when it did.
    pub error: Option<String>,
}

enum Waiting {
    Span(Box<Span>),
    /// Everything before this is to be sent; the answer says that it was tried.
    Flush(SyncSender<()>),
}

/// The way to the collector.
pub struct Exporter {
    queue: SyncSender<Waiting>,
    dropped: Arc<AtomicU64>,
    /// Share of the traces that begin here and are told.
    ratio: f64,
}

/// The way to the collector, when one is named.
pub fn exporter() -> Option<&'static Exporter> {
    EXPORTER.get()
}

/// Starts telling of `service` when the environment names a collector: `OTEL_EXPORTER_OTLP_ENDPOINT` (to which
/// `/v1/traces` is added) or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (as it stands), `OTEL_EXPORTER_OTLP_HEADERS`
/// (`name=value,…`), and `OTEL_TRACES_SAMPLER_ARG` (share of traces, 0 to 1). A second call changes nothing.
///
/// # Errors
/// A variable that cannot be right.
pub fn start(service: &'static str, env: &dyn Env) -> Result<(), ConfigError> {
    let Some(collector) = Collector::from_env(service, env)? else { return Ok(()) };
    let ratio = match env.get("OTEL_TRACES_SAMPLER_ARG") {
        None => 1.0,
        Some(text) => text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(|| {
            ConfigError::new("OTEL_TRACES_SAMPLER_ARG", format!("`{text}` is no share between 0 and 1"))
        })?,
    };
    let (queue, waiting) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let lost = Arc::clone(&dropped);
    let named = std::thread::Builder::new().name("traces".into());
    named
        .spawn(move || send_all(&waiting, &collector, &lost))
        .map_err(|error| ConfigError::new("OTEL_EXPORTER_OTLP_ENDPOINT", error.to_string()))?;
    let _ = EXPORTER.set(Exporter { queue, dropped, ratio });
    Ok(())
}

impl Exporter {
    /// Where a request stands that came with this `traceparent`, and under which span. Who began the trace decides
    /// whether it is told.
    pub fn continue_from(&self, traceparent: Option<&str>) -> (Context, Option<u64>) {
        match traceparent.and_then(Context::parse) {
            Some(parent) => (parent.child(), Some(parent.span)),
            None => (Context::root(fastrand::f64() < self.ratio), None),
        }
    }

    /// Takes a span of a sampled trace; others are let go.
    pub fn tell(&self, span: Span) {
        if span.context.sampled && self.queue.try_send(Waiting::Span(Box::new(span))).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Blocks until what was told so far was sent, but not for ever: for the end of the process.
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.queue.try_send(Waiting::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(Duration::from_secs(2));
        }
    }
}

struct Collector {
    service: &'static str,
    url: reqwest::Url,
    headers: HeaderMap,
}

impl Collector {
    fn from_env(service: &'static str, env: &dyn Env) -> Result<Option<Self>, ConfigError> {
        let (place, text) =
            match (env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env.get("OTEL_EXPORTER_OTLP_ENDPOINT")) {
                (Some(whole), _) if !whole.is_empty() => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", whole),
                (_, Some(base)) if !base.is_empty() => {
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}/v1/traces", base.trim_end_matches('/')))
                }
                _ => return Ok(None),
            };
        let url = reqwest::Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| {
            ConfigError::new(place, format!("`{text}` is no URL of a collector"))
                .hint("write \"http://127.0.0.1:4318\"")
        })?;
        let mut headers = HeaderMap::new();
        for pair in env.get("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default().split(',') {
            if pair.trim().is_empty() {
                continue;
            }
            let field = pair.split_once('=').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            // SECURITY: the value is a key more often than not; the complaint does not repeat it.
            let (name, value) = field.ok_or_else(|| {
                ConfigError::new("OTEL_EXPORTER_OTLP_HEADERS", "is not of the form `name=value,…`")
            })?;
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Ok(Some(Self { service, url, headers }))
    }

    async fn take(&self, client: &reqwest::Client, batch: &[Span]) -> Result<(), String> {
        let body = request(self.service, batch).encode_to_vec();
        let sent = client.post(self.url.clone()).headers(self.headers.clone()).body(body).send().await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("answered {}", answer.status())),
            Err(error) => Err(error.without_url().to_string()),
        }
    }
}

fn send_all(waiting: &Receiver<Waiting>, collector: &Collector, dropped: &AtomicU64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let client = reqwest::Client::builder().timeout(SEND_LIMIT).build();
    let (Ok(runtime), Ok(client)) = (runtime, client) else {
        tracing::error!("traces cannot be sent");
        return;
    };
    let mut is_away = false;
    while let Ok(first) = waiting.recv() {
        let (batch, flush) = gather(first, waiting);
        if !batch.is_empty() {
            let sent = runtime.block_on(collector.take(&client, &batch));
            // Once when it begins and once when it ends: a collector may be away for days.
            match &sent {
                Ok(()) if is_away => tracing::info!("the collector of traces takes them again"),
                Err(reason) if !is_away => {
                    tracing::warn!(reason, "the collector of traces does not take them");
                }
                Ok(()) | Err(_) => {}
            }
            is_away = sent.is_err();
            let lost = dropped.swap(0, Relaxed);
            if lost > 0 {
                tracing::warn!(lost, "spans came faster than they can be sent");
            }
        }
        if let Some(done) = flush {
            let _ = done.send(());
        }
    }
}

fn gather(first: Waiting, waiting: &Receiver<Waiting>) -> (Vec<Span>, Option<SyncSender<()>>) {
    let mut batch = Vec::new();
    let until = Instant::now() + GATHER;
    let mut next = Some(first);
    while let Some(one) = next {
        match one {
            Waiting::Span(span) => batch.push(*span),
            Waiting::Flush(done) => return (batch, Some(done)),
        }
        if batch.len() == BATCH {
            break;
        }
        next = waiting.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
    }
    (batch, None)
}

fn request(service: &str, batch: &[Span]) -> ExportTraceServiceRequest {
    // One reading of both clocks; every span of the batch is dated by it.
    let (now, wall) = (Instant::now(), jiff::Timestamp::now().as_nanosecond());
    let unix = |at: Instant| {
        let ago = now.saturating_duration_since(at).as_nanos();
        u64::try_from(wall - i128::try_from(ago).unwrap_or(0)).unwrap_or(0)
    };
    let spans = batch.iter().map(|span| Wire {
        trace_id: span.context.trace.to_be_bytes().to_vec(),
        span_id: span.context.span.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: match span.kind {
            Kind::Server => SpanKind::Server as i32,
            Kind::Client => SpanKind::Client as i32,
        },
        start_time_unix_nano: unix(span.began),
        end_time_unix_nano: unix(span.ended),
        attributes: span.attributes.iter().map(|(name, value)| attribute(name, value.clone())).collect(),
        status: span
            .error
            .as_ref()
            .map(|why| Status { message: why.clone(), code: StatusCode::Error as i32 }),
        ..Wire::default()
    });
    let resource = Resource {
        attributes: vec![
            attribute("service.name", Value::Text(service.to_owned())),
            attribute("service.version", Value::Text(crate::VERSION.to_owned())),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "irongate".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: spans.collect(), ..ScopeSpans::default() };
    let spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![spans] }
}

fn attribute(name: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text),
        Value::Number(number) => any_value::Value::IntValue(number),
    };
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn trace_context_is_carried_only_when_well_formed() {
        let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = Context::parse(given).unwrap();
        assert_eq!((context.to_string().as_str(), context.sampled), (given, true));
        assert_eq!(context.child().trace, context.trace);
        assert_ne!(context.child().span, context.span);
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Context::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_collector_is_named_by_the_environment() {
        let from = |pairs: &[(&str, &str)]| {
            let env: BTreeMap<String, String> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Collector::from_env("test", &env).map(|collector| collector.map(|one| one.url.to_string()))
        };
        assert_eq!(from(&[]).unwrap(), None);
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");
        assert_eq!(from(&[base]).unwrap().unwrap(), "http://127.0.0.1:4318/v1/traces");
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/x");
        assert_eq!(from(&[base, whole]).unwrap().unwrap(), "http://127.0.0.1:1/x");
        assert!(from(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318")]).is_err());
        let refused = from(&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "secret key")]).unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
}
