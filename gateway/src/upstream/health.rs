//! Asking one server whether it is well.

use std::{sync::Arc, time::Instant};

use bytes::{Buf, BytesMut};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Pool, PoolSettings, Server, connection::Connection};
use crate::wire::{BodyDecoder, Decoded, response};

const AGENT: &str = "irongate-health";
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
        let result = match timeout(health.timeout.get(), ask(&server, &settings)).await {
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
async fn ask(server: &Server, settings: &PoolSettings) -> Result<bool, String> {
    let (raw, limit) = (&settings.raw, settings.raw.health.timeout.get());
    let connection = Connection::open(&server.address, &settings.dial, limit)
        .await
        .map_err(|fault| crate::fault::Fault::from(fault).cause())?;
    let default = if raw.protocol.is_http2() { "" } else { "/health" };
    let path = raw.health.path.as_deref().unwrap_or(default);
    if path.is_empty() {
        return Ok(false);
    }
    let host = raw.tls_name.as_deref().unwrap_or(&server.name);
    let (status, body) = if raw.protocol.is_http2() {
        let scheme = if raw.protocol.is_tls() { "https" } else { "http" };
        over_http2(connection, &format!("{scheme}://{host}{path}")).await?
    } else {
        over_http1(connection, host, path).await?
    };
    judge(status, &body)
}

async fn over_http1(
    mut connection: Connection,
    host: &str,
    path: &str,
) -> Result<(StatusCode, BytesMut), String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {AGENT}\r\naccept: application/json\r\nconnection: close\r\n\r\n"
    );
    let io = |error: std::io::Error| super::connection::plain_words(&error);
    connection.send(request.as_bytes()).await.map_err(io)?;
    let mut input = BytesMut::new();
    let head = loop {
        match response::parse(&input).map_err(|bad| bad.to_string())? {
            Some((head, taken)) => {
                input.advance(taken);
                if !head.status.is_informational() {
                    break head;
                }
            }
            None if connection.read_buf(&mut input).await.map_err(io)? == 0 => {
                return Err("closed the connection without an answer".to_owned());
            }
            None => {}
        }
    };
    // To its end and no further: some keep the connection open although they were asked not to.
    let framing = head.framing(&Method::GET).map_err(|bad| bad.to_string())?;
    let (mut decoder, mut body) = (BodyDecoder::new(framing), BytesMut::new());
    while body.len() < ANSWER_MAX {
        match decoder.decode(&mut input).map_err(|bad| bad.to_string())? {
            Decoded::End => break,
            Decoded::Data(data) => body.extend_from_slice(&data),
            // Where the end is the connection's, under TLS some close without a goodbye.
            Decoded::More => match connection.read_buf(&mut input).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            },
        }
    }
    Ok((head.status, body))
}

async fn over_http2(connection: Connection, uri: &str) -> Result<(StatusCode, BytesMut), String> {
    let words = |error: h2::Error| error.to_string();
    let (mut client, driver) = h2::client::handshake(connection).await.map_err(words)?;
    let request = http::Request::get(uri)
        .version(http::Version::HTTP_2)
        .header(http::header::USER_AGENT, AGENT)
        .header(http::header::ACCEPT, "application/json")
        .body(())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let (answer, _) = client.send_request(request, true).map_err(words)?;
        let (head, mut pieces) = answer.await.map_err(words)?.into_parts();
        let mut body = BytesMut::new();
        while let Some(piece) = pieces.data().await {
            let piece = piece.map_err(words)?;
            let _ = pieces.flow_control().release_capacity(piece.len());
            body.extend_from_slice(&piece);
            if body.len() >= ANSWER_MAX {
                break;
            }
        }
        Ok((head.status, body))
    };
    tokio::select! {
        done = exchange => done,
        _ = driver => Err("closed the connection without an answer".to_owned()),
    }
}

fn judge(status: StatusCode, body: &[u8]) -> Result<bool, String> {
    let report: Report = serde_json::from_slice(body).unwrap_or_default();
    if status.is_success() {
        return Ok(report.status == "degraded");
    }
    let amiss: Vec<&str> = report
        .checks
        .iter()
        .filter(|(_, check)| check.status != "ok")
        .map(|(name, _)| name.as_str())
        .collect();
    Err(match amiss.as_slice() {
        [] => format!("answered {}", status.as_u16()),
        names => format!("answered {}: {}", status.as_u16(), names.join(", ")),
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
