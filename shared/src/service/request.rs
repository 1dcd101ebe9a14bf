//! What stands around every request: its id, its log span, its metrics, and the shape of what goes wrong.

use std::{cell::RefCell, rc::Rc, time::Instant};

use actix_web::{
    Error, ResponseError as _,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use tracing::Instrument as _;

use crate::traces::{self, Context, Kind, Span, Value};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request that the current task answers; error answers name it.
pub(super) struct Current {
    pub id: String,
    pub path: String,
}

tokio::task_local! {
    static CURRENT: Rc<Current>;
}

/// The id of the request that this task answers, for logs and for requests to other services.
pub fn request_id() -> Option<String> {
    CURRENT.try_with(|current| current.id.clone()).ok()
}

pub(super) fn current() -> Option<Rc<Current>> {
    CURRENT.try_with(Rc::clone).ok()
}

/// Request count and duration by route pattern: paths as sent would be without bound.
#[derive(Clone)]
pub(super) struct Metrics {
    requests: IntCounterVec,
    duration: HistogramVec,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let labels = ["method", "route", "status"];
        let requests = IntCounterVec::new(Opts::new("http_requests_total", "Requests answered"), &labels)?;
        let duration = HistogramVec::new(
            HistogramOpts::new("http_request_duration_seconds", "Time to the head of the answer").buckets(
                vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0],
            ),
            &["method", "route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { requests, duration })
    }

    fn count(&self, method: &str, route: &str, status: u16, began: Instant) {
        let mut digits = [0u8; 3];
        self.requests.with_label_values(&[method, route, status_text(status, &mut digits)]).inc();
        self.duration.with_label_values(&[method, route]).observe(began.elapsed().as_secs_f64());
    }
}

fn status_text(status: u16, digits: &mut [u8; 3]) -> &str {
    for (place, digit) in [100, 10, 1].into_iter().zip(digits.iter_mut()) {
        *digit = b'0' + u8::try_from(status / place % 10).unwrap_or(0);
    }
    std::str::from_utf8(digits).unwrap_or("???")
}

/// The middleware around every handler.
pub(super) async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let began = Instant::now();
    let exporter = traces::exporter();
    let trace = exporter.map(|exporter| {
        let given = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
        exporter.continue_from(given)
    });
    let current = Rc::new(Current { id: id_of(&request), path: request.path().to_owned() });
    let id = HeaderValue::from_str(&current.id).ok();
    let metrics = request.app_data::<web::Data<Metrics>>().cloned();
    let span = tracing::info_span!("request", request_id = current.id, method = %request.method(), path = current.path);

    let answered = CURRENT.scope(current, async move {
        // SECURITY: PostgreSQL refuses U+0000 in text where SQLite stores it; refused here, it is no way to a 500.
        if request.uri().path_and_query().is_some_and(|target| target.as_str().contains("%00")) {
            let refused = super::answer::nul_in_target().error_response();
            return Ok(request.into_response(refused).map_into_right_body());
        }
        match next.call(request).await {
            Ok(response) => Ok(response.map_into_left_body()),
            // Turned into an answer here, where the request is still known.
            Err(why) => {
                let answer = why.error_response();
                Err(Error::from(InternalError::from_response(why, answer)))
            }
        }
    });
    let mut response = answered.instrument(span).await?;

    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let (Some(exporter), Some((context, parent))) = (exporter, trace) {
        exporter.tell(span_of(&response, context, parent, began));
    }
    if let Some(metrics) = metrics {
        let route = response.request().match_pattern();
        let method = response.request().method().clone();
        metrics.count(method.as_str(), route.as_deref().unwrap_or("none"), response.status().as_u16(), began);
    }
    Ok(response)
}

/// One answered request as a span. The path as sent is the gateway's to tell; the route is enough here.
fn span_of<B>(response: &ServiceResponse<B>, context: Context, parent: Option<u64>, began: Instant) -> Span {
    let (request, status) = (response.request(), response.status());
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    Span {
        context,
        parent,
        kind: Kind::Server,
        name: format!("{} {route}", request.method()),
        began,
        ended: Instant::now(),
        attributes: vec![
            ("http.request.method", Value::Text(request.method().to_string())),
            ("http.route", Value::Text(route)),
            ("http.response.status_code", Value::Number(status.as_u16().into())),
        ],
        error: status.is_server_error().then(|| status.to_string()),
    }
}

/// The gateway's id, when it looks like one; else a new one.
fn id_of(request: &ServiceRequest) -> String {
    thread_local! {
        static CONTEXT: RefCell<uuid::ContextV7> = const { RefCell::new(uuid::ContextV7::new()) };
    }
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let usable = given.filter(|id| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    usable.map_or_else(
        || CONTEXT.with_borrow(|context| uuid::Uuid::new_v7(uuid::Timestamp::now(context)).to_string()),
        str::to_owned,
    )
}
