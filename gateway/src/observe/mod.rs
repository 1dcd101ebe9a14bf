//! What the gateway tells about itself: access log, metrics, the history behind the dashboard. It is told
//! about requests and never asked by them.

pub(crate) mod access_log;
pub(crate) mod clock;
mod history;
pub(crate) use history::Point;
mod latency;
mod spans;

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Serialize;

use self::{
    access_log::AccessLog,
    history::{Gauges, History},
    latency::Latencies,
};
use crate::{
    exchange::{Connection, Exchange},
    fault::Fault,
};

const ERRORS_KEPT: usize = 100;

pub(crate) struct Observe {
    pub(crate) started: Instant,
    pub(crate) started_at: Timestamp,
    pub(crate) requests: AtomicU64,
    pub(crate) errors: AtomicU64,
    connections: AtomicI64,
    websockets: AtomicI64,
    /// By hundreds: 1xx to 5xx.
    statuses: [AtomicU64; 5],
    latencies: Latencies,
    history: Mutex<History>,
    recent_errors: Mutex<VecDeque<RecentError>>,
    refusals: Mutex<std::collections::BTreeMap<&'static str, u64>>,
    log: AccessLog,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RecentError {
    at: String,
    status: u16,
    method: String,
    path: String,
    upstream: Option<String>,
    reason: String,
    request_id: String,
}

/// The last seconds in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Traffic {
    requests_per_s: f64,
    errors_per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    connections: i64,
    websockets: i64,
    total_requests: u64,
}

/// Counts something open; counts it closed when dropped.
pub(crate) struct Open<'o>(&'o AtomicI64);

impl<'o> Open<'o> {
    fn new(gauge: &'o AtomicI64) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(gauge)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Observe {
    pub(crate) fn new(log: AccessLog) -> Self {
        Self {
            started: Instant::now(),
            started_at: Timestamp::now(),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            connections: AtomicI64::new(0),
            websockets: AtomicI64::new(0),
            statuses: Default::default(),
            latencies: Latencies::default(),
            history: Mutex::default(),
            recent_errors: Mutex::default(),
            refusals: Mutex::default(),
            log,
        }
    }

    pub(crate) fn configure_log(&self, settings: &crate::config::Log) {
        self.log.configure(settings);
    }

    /// Waits until the access log is written, for the end of the process.
    pub(crate) fn flush_log(&self) {
        self.log.flush();
    }

    pub(crate) fn connection_opened(&self) -> Open<'_> {
        Open::new(&self.connections)
    }

    pub(crate) fn websocket_opened(&self) -> Open<'_> {
        Open::new(&self.websockets)
    }

    /// Connections still open, WebSockets among them.
    pub(crate) fn open_connections(&self) -> i64 {
        self.connections.load(Relaxed)
    }

    pub(crate) fn open_websockets(&self) -> i64 {
        self.websockets.load(Relaxed)
    }

    /// One exchange is over.
    pub(crate) fn exchange(&self, exchange: &Exchange<'_>) {
        let record = &exchange.record;
        let ended = Instant::now();
        let took = ended.duration_since(exchange.request.arrived);
        self.requests.fetch_add(1, Relaxed);
        self.count_status(record.status);
        // To the head of the answer: how long a WebSocket or an event stream lives is no latency.
        if record.status != 101 {
            self.latencies.record(record.answered.unwrap_or(took));
        }
        if let Some(fault) = &record.fault {
            *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(fault.name()).or_default() +=
                1;
        }
        if record.status >= 500 {
            self.errors.fetch_add(1, Relaxed);
            let error = RecentError {
                at: clock::iso(Timestamp::now()),
                status: record.status,
                method: exchange.request.head.method.to_string(),
                path: exchange.request.raw_path().chars().take(200).collect(),
                upstream: record.upstream.as_deref().map(str::to_owned),
                reason: record
                    .fault
                    .as_ref()
                    .map_or_else(|| "answered by the service".to_owned(), crate::fault::Fault::cause),
                request_id: exchange.request.id.clone(),
            };
            let mut errors = self.recent_errors.lock().unwrap_or_else(PoisonError::into_inner);
            if errors.len() == ERRORS_KEPT {
                errors.pop_back();
            }
            errors.push_front(error);
        }
        spans::tell(exchange);
        self.log.write(exchange, ended, took);
    }

    /// A request was refused before there was an exchange.
    pub(crate) fn refused(&self, connection: &Connection, id: &str, fault: &Fault) {
        self.requests.fetch_add(1, Relaxed);
        self.count_status(fault.status().as_u16());
        self.count_fault(fault);
        self.log.write_refusal(connection, id, fault);
    }

    fn count_status(&self, status: u16) {
        if let Some(count) =
            usize::from(status / 100).checked_sub(1).and_then(|class| self.statuses.get(class))
        {
            count.fetch_add(1, Relaxed);
        }
    }

    fn count_fault(&self, fault: &Fault) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(fault.name()).or_default() += 1;
    }

    /// Called once a second: closes the running second.
    pub(crate) fn tick(&self) {
        let second = self.latencies.take_second();
        self.history.lock().unwrap_or_else(PoisonError::into_inner).push(
            Timestamp::now(),
            self.requests.load(Relaxed),
            self.errors.load(Relaxed),
            second,
            Gauges { connections: self.connections.load(Relaxed), websockets: self.websockets.load(Relaxed) },
        );
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = history.recent();
        Traffic {
            requests_per_s: recent.requests_per_s,
            errors_per_s: recent.errors_per_s,
            p50_ms: recent.p50_ms,
            p95_ms: recent.p95_ms,
            p99_ms: recent.p99_ms,
            connections: self.connections.load(Relaxed),
            websockets: self.websockets.load(Relaxed),
            total_requests: self.requests.load(Relaxed),
        }
    }

    /// The points of the last hour, and how many there ever were.
    pub(crate) fn history(&self) -> (u64, Vec<Point>) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).points()
    }

    /// The same, if it has changed since there had been `seen` of them.
    pub(crate) fn history_after(&self, seen: u64) -> Option<(u64, Vec<Point>)> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).points_after(seen)
    }

    pub(crate) fn recent_errors(&self) -> Vec<RecentError> {
        self.recent_errors.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn statuses(&self) -> [u64; 5] {
        std::array::from_fn(|class| self.statuses.get(class).map_or(0, |count| count.load(Relaxed)))
    }

    pub(crate) fn refusals(&self) -> std::collections::BTreeMap<&'static str, u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn latency_buckets(&self) -> (Vec<(Duration, u64)>, Duration) {
        self.latencies.cumulative()
    }
}
