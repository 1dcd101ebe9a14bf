//! Asking one server whether it is well.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Pool, Server, connection::Connection};
use crate::{
    config::{Health, Protocol},
    wire::response,
};

/// How much of a health answer is read for its reasons.
const ANSWER_MAX: usize = 16 * 1024;
/// A server that is not up is asked at least this often: what starts up is waited for.
const EAGER: std::time::Duration = std::time::Duration::from_millis(500);

/// Checks `server` until told to stop. `first` is called after the first check.
pub(super) async fn watch(
    pool: Arc<Pool>,
    server: Arc<Server>,
    stop: CancellationToken,
    first: impl FnOnce(),
) {
    let mut first = Some(first);
    loop {
        let settings = pool.settings();
        let health = &settings.raw.health;
        let started = Instant::now();
        let result = match timeout(health.timeout.get(), ask(&server, settings.raw.protocol, health)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {}", health.timeout)),
        };
        let reason = result.as_ref().err().cloned();
        if let Some(state) = server.checked(result, started.elapsed(), health.rise, health.fall) {
            let (upstream, server) = (&*pool.name, &*server.name);
            match reason {
                None => tracing::info!(upstream, server, state, "server changed state"),
                Some(reason) => tracing::warn!(upstream, server, state, reason, "server changed state"),
            }
        }
        server.idle.sweep(settings.raw.idle_timeout.get());
        if let Some(first) = first.take() {
            first();
        }
        // Up to a tenth more or less, so that many gateways do not ask in step.
        let spread = 0.9 + fastrand::f64() * 0.2;
        let interval = health.interval.get().mul_f64(spread);
        let pause = if server.is_serving() { interval } else { interval.min(EAGER) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = server.check_now.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One check. `Ok(true)` when the server is up but says that something it needs is amiss.
async fn ask(server: &Server, protocol: Protocol, health: &Health) -> Result<bool, String> {
    let mut connection = Connection::open(&server.address, health.timeout.get())
        .await
        .map_err(|fault| crate::fault::Fault::from(fault).cause())?;
    if health.path.is_empty() || protocol != Protocol::Http {
        return Ok(false);
    }
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\nuser-agent: irongate-health\r\naccept: application/json\r\nconnection: close\r\n\r\n",
        health.path, server.name
    );
    let io = |error: std::io::Error| super::connection::plain_words(&error);
    connection.write_all(request.as_bytes()).await.map_err(io)?;
    let mut answer = BytesMut::new();
    while answer.len() < ANSWER_MAX && connection.read_buf(&mut answer).await.map_err(io)? > 0 {}
    let (head, body_at) = response::parse(&answer)
        .map_err(|bad| bad.to_string())?
        .ok_or_else(|| "closed the connection without an answer".to_owned())?;
    let report: Report =
        answer.get(body_at..).and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    if head.status.is_success() {
        return Ok(report.status == "degraded");
    }
    let amiss: Vec<&str> = report
        .checks
        .iter()
        .filter(|(_, check)| check.status != "ok")
        .map(|(name, _)| name.as_str())
        .collect();
    Err(match amiss.as_slice() {
        [] => format!("answered {}", head.status.as_u16()),
        names => format!("answered {}: {}", head.status.as_u16(), names.join(", ")),
    })
}

/// What we read of the health contract; other shapes count as "no more known".
#[derive(Default, Deserialize)]
#[serde(default)]
struct Report {
    status: String,
    checks: std::collections::BTreeMap<String, ReportCheck>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReportCheck {
    status: String,
}
