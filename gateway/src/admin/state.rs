//! The gateway's state as the dashboard shows it.

use std::sync::atomic::Ordering::Relaxed;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    gateway::{Gateway, ReloadError},
    observe::{Point, RecentError, Traffic, clock::iso},
    tls::Facts,
    upstream::{Pool, Server},
};

#[derive(Serialize)]
pub(super) struct State {
    version: &'static str,
    started_at: String,
    uptime_s: u64,
    now: String,
    config: Config,
    certificate: Facts,
    traffic: Traffic,
    /// Absent in a stream that has told it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Point>>,
    upstreams: Vec<Upstream>,
    recent_errors: Vec<RecentError>,
}

#[derive(Serialize)]
struct Config {
    version: u64,
    loaded_at: String,
    source: String,
    /// Keys whose change is in force only after a restart or an upgrade.
    waiting: Vec<&'static str>,
    last_error: Option<ReloadError>,
}

#[derive(Serialize)]
struct Upstream {
    name: String,
    state: &'static str,
    servers: Vec<ServerState>,
}

#[derive(Serialize)]
struct ServerState {
    address: String,
    state: &'static str,
    since: String,
    latency_ms: Option<f64>,
    last_failure: Option<Failure>,
    in_flight: usize,
    requests: u64,
    failures: u64,
    weight: u32,
    backup: bool,
    history: Vec<Check>,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Failure {
    reason: String,
    at: String,
}

#[derive(Serialize)]
struct Check {
    at: String,
    ok: bool,
    latency_ms: f64,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Change {
    at: String,
    state: &'static str,
    reason: Option<String>,
}

pub(super) fn now(gateway: &Gateway) -> State {
    with(gateway, Some(gateway.observe.history().1))
}

/// For a stream that has told of `told` points of the history: the history itself changes every ten seconds only, and
/// would be most of what is sent.
pub(super) fn news(gateway: &Gateway, told: &mut u64) -> State {
    let history = gateway.observe.history_after(*told).map(|(closed, points)| {
        *told = closed;
        points
    });
    with(gateway, history)
}

fn with(gateway: &Gateway, history: Option<Vec<Point>>) -> State {
    let snapshot = gateway.snapshot();
    State {
        version: irongate_shared::VERSION,
        started_at: iso(gateway.observe.started_at),
        uptime_s: gateway.observe.started.elapsed().as_secs(),
        now: iso(Timestamp::now()),
        config: Config {
            version: snapshot.version,
            loaded_at: iso(snapshot.loaded_at),
            source: snapshot.origin.clone(),
            waiting: snapshot.waiting.clone(),
            last_error: gateway.last_reload_error(),
        },
        certificate: Facts::clone(&gateway.certificates.facts()),
        traffic: gateway.observe.traffic(),
        history,
        upstreams: snapshot.pools.values().map(|pool| upstream(pool)).collect(),
        recent_errors: gateway.observe.recent_errors(),
    }
}

fn upstream(pool: &Pool) -> Upstream {
    Upstream {
        name: pool.name.to_string(),
        state: pool.state(),
        servers: pool.servers().iter().map(|server| one(server)).collect(),
    }
}

fn one(server: &Server) -> ServerState {
    let story = server.story();
    let ms = |duration: std::time::Duration| (duration.as_secs_f64() * 1e5).round() / 1e2;
    ServerState {
        address: server.name.to_string(),
        state: server.state(),
        since: iso(story.since),
        latency_ms: story.latency.map(ms),
        last_failure: story
            .last_failure
            .map(|failure| Failure { reason: failure.reason, at: iso(failure.at) }),
        in_flight: server.in_flight.load(Relaxed),
        requests: server.requests.load(Relaxed),
        failures: server.failures.load(Relaxed),
        weight: server.weight,
        backup: server.backup,
        history: story
            .checks
            .into_iter()
            .map(|check| Check {
                at: iso(check.at),
                ok: check.ok,
                latency_ms: ms(check.latency),
                reason: check.reason,
            })
            .collect(),
        changes: story
            .changes
            .into_iter()
            .map(|change| Change { at: iso(change.at), state: change.state, reason: change.reason })
            .collect(),
    }
}
