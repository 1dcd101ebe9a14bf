//! The health contract: what `/health` of every program asks, and how it says what it found.
//!
//! `GET /health` means *ready*: it asks the real dependencies, all at once and with a time limit. `GET /health/live`
//! means *alive* and asks nothing. Gateway, compose and the dashboard read the same document.

mod ask;

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

pub use ask::{ask, reachable};

/// How long one dependency may take to answer.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// How long an answer serves everybody who asks: many gateways and a curious crowd cost the database one question.
const REUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HealthStatus)]
pub enum Status {
    Ok,
    /// Serving, with something missing that it can do without.
    Degraded,
    Fail,
}

/// The document behind `/health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Health)]
pub struct Report {
    pub status: Status,
    pub service: String,
    pub version: String,
    /// Whole seconds since the process started.
    pub uptime_s: u64,
    pub checks: BTreeMap<String, CheckResult>,
}

impl Report {
    /// 200 while it serves, 503 when it must get no traffic.
    pub const fn http_status(&self) -> u16 {
        match self.status {
            Status::Ok | Status::Degraded => 200,
            Status::Fail => 503,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = HealthCheck)]
pub struct CheckResult {
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it is not ok, in words for an operator, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

type Probe = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What a failed check means for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it nothing works: the service answers 503.
    Required,
    /// Without it the service goes on, degraded.
    Optional,
}

/// The checks of one program.
pub struct Health {
    service: &'static str,
    started: Instant,
    checks: Vec<(&'static str, Need, Probe)>,
    latest: Mutex<Option<(Instant, Arc<Report>)>>,
}

impl Health {
    pub fn new(service: &'static str) -> Self {
        Self { service, started: Instant::now(), checks: Vec::new(), latest: Mutex::new(None) }
    }

    /// Adds a dependency. `probe` says `Err(reason)` when it is away; it is dropped after a second.
    #[must_use]
    pub fn check<F, A>(mut self, name: &'static str, need: Need, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, need, Box::new(move || Box::pin(probe()))));
        self
    }

    /// Asks all dependencies, or gives the answer of a moment ago. Callers that come at once share one asking.
    pub async fn report(&self) -> Arc<Report> {
        let mut latest = self.latest.lock().await;
        if let Some((at, report)) = &*latest
            && at.elapsed() < REUSE
        {
            return Arc::clone(report);
        }
        let report = Arc::new(self.ask().await);
        *latest = Some((Instant::now(), Arc::clone(&report)));
        report
    }

    async fn ask(&self) -> Report {
        let results = join_all(self.checks.iter().map(|(name, need, probe)| async move {
            let asked = Instant::now();
            let answer = tokio::time::timeout(PROBE_LIMIT, probe()).await;
            let latency_ms = (asked.elapsed().as_secs_f64() * 1e6).round() / 1e3;
            let (status, reason) = match (answer, need) {
                (Ok(Ok(())), _) => (Status::Ok, None),
                (Ok(Err(reason)), need) => (need.when_away(), Some(reason)),
                (Err(_), need) => (need.when_away(), Some(format!("no answer within {PROBE_LIMIT:?}"))),
            };
            ((*name).to_owned(), CheckResult { status, latency_ms: Some(latency_ms), reason })
        }));
        let checks: BTreeMap<_, _> = results.await.into_iter().collect();
        let has = |status| checks.values().any(|check| check.status == status);
        let status = match (has(Status::Fail), has(Status::Degraded)) {
            (true, _) => Status::Fail,
            (false, true) => Status::Degraded,
            (false, false) => Status::Ok,
        };
        Report {
            status,
            service: self.service.to_owned(),
            version: crate::VERSION.to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            checks,
        }
    }
}

impl Need {
    const fn when_away(self) -> Status {
        match self {
            Self::Required => Status::Fail,
            Self::Optional => Status::Degraded,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn away() -> Result<(), String> {
        Err("connection refused".to_owned())
    }

    async fn here() -> Result<(), String> {
        Ok(())
    }

    #[tokio::test]
    async fn a_required_dependency_that_is_away_fails_the_whole() {
        let health = Health::new("x").check("a", Need::Required, away).check("b", Need::Optional, here);

        let report = health.report().await;

        assert_eq!((report.status, report.http_status()), (Status::Fail, 503));
        assert_eq!(report.checks["a"].reason.as_deref(), Some("connection refused"));
        assert_eq!(report.checks["b"].status, Status::Ok);
    }

    #[tokio::test]
    async fn an_optional_dependency_that_is_away_degrades() {
        let health = Health::new("x").check("a", Need::Required, here).check("b", Need::Optional, away);

        let report = health.report().await;

        assert_eq!((report.status, report.http_status()), (Status::Degraded, 200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dependency_that_hangs_is_given_up_and_the_others_are_asked_meanwhile() {
        let health = Health::new("x")
            .check("a", Need::Required, std::future::pending::<Result<(), String>>)
            .check("b", Need::Required, std::future::pending::<Result<(), String>>);
        let began = tokio::time::Instant::now();

        let report = health.report().await;

        assert_eq!(report.status, Status::Fail);
        assert_eq!(began.elapsed(), PROBE_LIMIT);
    }

    #[tokio::test]
    async fn a_crowd_that_asks_at_once_costs_one_question() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let health = Health::new("x").check("a", Need::Required, move || {
            counter.fetch_add(1, Ordering::SeqCst);
            here()
        });

        join_all((0..100).map(|_| health.report())).await;

        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
