//! `/metrics` in the Prometheus text format, written straight from the counters the gateway keeps anyway.

use std::{fmt::Write, sync::atomic::Ordering::Relaxed};

use http::{Method, StatusCode};

use super::only;
use crate::{exchange::Exchange, fault::Fault, gateway::Gateway, wire::Fields};

pub(super) async fn answer(gateway: &Gateway, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    only(exchange, &Method::GET)?;
    let mut fields = Fields::default();
    fields.push("content-type", "text/plain; version=0.0.4; charset=utf-8");
    exchange.respond(StatusCode::OK, fields, text(gateway).into()).await
}

fn text(gateway: &Gateway) -> String {
    let mut out = String::with_capacity(8192);
    let observe = &gateway.observe;
    family(&mut out, "irongate_gateway_responses_total", "counter", "Answers by class of status.");
    for (class, count) in observe.statuses().iter().enumerate() {
        let _ = writeln!(out, "irongate_gateway_responses_total{{class=\"{}xx\"}} {count}", class + 1);
    }
    family(
        &mut out,
        "irongate_gateway_faults_total",
        "counter",
        "Requests the gateway itself refused or failed, by reason.",
    );
    for (reason, count) in observe.refusals() {
        let _ = writeln!(out, "irongate_gateway_faults_total{{reason=\"{reason}\"}} {count}");
    }
    let (buckets, sum) = observe.latency_buckets();
    family(
        &mut out,
        "irongate_gateway_request_duration_seconds",
        "histogram",
        "From the last byte of the head to the last of the answer.",
    );
    let total = buckets.last().map_or(0, |(_, count)| *count);
    for (upper, count) in buckets {
        let _ = writeln!(
            out,
            "irongate_gateway_request_duration_seconds_bucket{{le=\"{:.6}\"}} {count}",
            upper.as_secs_f64()
        );
    }
    let _ = writeln!(out, "irongate_gateway_request_duration_seconds_bucket{{le=\"+Inf\"}} {total}");
    let _ = writeln!(out, "irongate_gateway_request_duration_seconds_sum {}", sum.as_secs_f64());
    let _ = writeln!(out, "irongate_gateway_request_duration_seconds_count {total}");
    family(&mut out, "irongate_gateway_connections", "gauge", "Open client connections.");
    let _ = writeln!(out, "irongate_gateway_connections {}", observe.open_connections());
    family(&mut out, "irongate_gateway_websockets", "gauge", "Open WebSockets.");
    let _ = writeln!(out, "irongate_gateway_websockets {}", observe.open_websockets());
    family(&mut out, "irongate_gateway_config_version", "gauge", "Reloads since the start, plus one.");
    let _ = writeln!(out, "irongate_gateway_config_version {}", gateway.snapshot().version);
    family(
        &mut out,
        "irongate_gateway_certificate_expiry_seconds",
        "gauge",
        "When the default certificate expires, Unix time.",
    );
    let _ = writeln!(
        out,
        "irongate_gateway_certificate_expiry_seconds {}",
        gateway.certificates.facts().not_after_s
    );
    servers(&mut out, gateway);
    out
}

fn servers(out: &mut String, gateway: &Gateway) {
    let pools = gateway.registry.pools();
    for (name, help, value) in [
        ("irongate_gateway_upstream_in_flight", "Requests in flight.", 0),
        ("irongate_gateway_upstream_pending", "Requests that wait for others to finish.", 1),
    ] {
        family(out, name, "gauge", help);
        for pool in pools.values() {
            let load: [usize; 2] = pool.load().into();
            let _ = writeln!(out, "{name}{{upstream=\"{}\"}} {}", pool.name, load.get(value).unwrap_or(&0));
        }
    }
    let mut each = |name: &str, kind: &str, help: &str, value: &dyn Fn(&crate::upstream::Server) -> u64| {
        family(out, name, kind, help);
        for pool in pools.values() {
            for server in pool.servers().iter() {
                let _ = writeln!(
                    out,
                    "{name}{{upstream=\"{}\",server=\"{}\"}} {}",
                    pool.name,
                    server.name,
                    value(server)
                );
            }
        }
    };
    each("irongate_gateway_server_up", "gauge", "1 when requests may go there.", &|server| {
        u64::from(server.is_eligible())
    });
    each("irongate_gateway_server_in_flight", "gauge", "Requests in flight.", &|server| {
        server.in_flight.load(Relaxed) as u64
    });
    each("irongate_gateway_server_requests_total", "counter", "Requests sent.", &|server| {
        server.requests.load(Relaxed)
    });
    each("irongate_gateway_server_failures_total", "counter", "Requests that failed there.", &|server| {
        server.failures.load(Relaxed)
    });
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
