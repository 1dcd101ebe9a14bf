//! `/health`: the gateway in the health contract that every program of the system follows, with its
//! upstreams as checks. A gateway that serves is healthy; upstreams that are away make it degraded.

use std::collections::BTreeMap;

use http::StatusCode;
use irongate_shared::health::{CheckResult, Report, Status};

use crate::{exchange::Exchange, fault::Fault, gateway::Gateway, wire::Fields};

/// Whether a path is answered here, at every listener.
pub(crate) fn is_for(path: &str) -> bool {
    path == "/health" || path == "/health/live"
}

pub(crate) async fn answer(gateway: &Gateway, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    super::only(exchange, &http::Method::GET)?;
    let report = report(gateway, exchange.request.path == "/health/live");
    let mut fields = Fields::default();
    fields.push("content-type", "application/json");
    fields.push("cache-control", "no-store");
    let body = serde_json::to_vec(&report).unwrap_or_default();
    exchange.respond(StatusCode::OK, fields, body.into()).await
}

fn report(gateway: &Gateway, only_alive: bool) -> Report {
    let mut checks = BTreeMap::new();
    if !only_alive {
        for (name, pool) in gateway.registry.pools() {
            let servers = pool.servers();
            let latency = servers.iter().filter_map(|server| server.story().latency).min();
            let reason = servers.iter().find_map(|server| {
                let story = server.story();
                (!server.is_eligible()).then(|| story.last_failure.map(|failure| failure.reason)).flatten()
            });
            let is_up = pool.state() == "up";
            checks.insert(
                name,
                CheckResult {
                    status: if is_up { Status::Ok } else { Status::Degraded },
                    latency_ms: latency.map(|latency| (latency.as_secs_f64() * 1e5).round() / 1e2),
                    reason: reason.filter(|_| !is_up),
                },
            );
        }
    }
    let all_up = checks.values().all(|check| check.status == Status::Ok);
    Report {
        status: if all_up { Status::Ok } else { Status::Degraded },
        service: "gateway".to_owned(),
        version: irongate_shared::VERSION.to_owned(),
        uptime_s: gateway.observe.started.elapsed().as_secs(),
        checks,
    }
}
