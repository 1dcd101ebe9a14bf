//! What the dashboard may ask and do.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;

use super::{only, state};
use crate::{
    edge::Context,
    exchange::{BodySize, Exchange},
    fault::{ClientFault, Fault, OwnFault},
    gateway::{Gateway, stopping},
    wire::Fields,
};

const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn answer(
    context: &Context<'_>,
    exchange: &mut Exchange<'_>,
    call: &str,
) -> Result<(), Fault> {
    let gateway = context.gateway;
    let parts: Vec<&str> = call.split('/').collect();
    match parts.as_slice() {
        ["state"] => {
            only(exchange, &Method::GET)?;
            let text = serde_json::to_vec(&state::now(gateway)).unwrap_or_default();
            reply(exchange, StatusCode::OK, "application/json", text.into()).await
        }
        ["events"] => {
            only(exchange, &Method::GET)?;
            events(context, exchange).await
        }
        ["config"] => {
            only(exchange, &Method::GET)?;
            let text = toml::to_string_pretty(&gateway.snapshot().settings).unwrap_or_default();
            reply(exchange, StatusCode::OK, "application/toml; charset=utf-8", text.into()).await
        }
        ["authority.pem"] => {
            only(exchange, &Method::GET)?;
            let file = crate::tls::authority_file(&gateway.data);
            let pem = tokio::fs::read(&file).await.map_err(|_| ClientFault::NoRoute)?;
            reply(exchange, StatusCode::OK, "application/x-pem-file", pem.into()).await
        }
        ["reload"] => {
            only(exchange, &Method::POST)?;
            reload(gateway, exchange).await
        }
        ["upstreams", upstream, "servers", server, "drain"] => {
            drain(gateway, exchange, upstream, server, true).await
        }
        ["upstreams", upstream, "servers", server, "undrain"] => {
            drain(gateway, exchange, upstream, server, false).await
        }
        _ => Err(ClientFault::NoRoute.into()),
    }
}

async fn reply(
    exchange: &mut Exchange<'_>,
    status: StatusCode,
    kind: &str,
    body: Bytes,
) -> Result<(), Fault> {
    let mut fields = Fields::default();
    fields.push("content-type", kind);
    fields.push("cache-control", "no-store");
    fields.push("x-content-type-options", "nosniff");
    exchange.respond(status, fields, body).await
}

/// The state once a second, and at once when something happened; ends when the client leaves or the
/// gateway drains.
async fn events(context: &Context<'_>, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    let mut news = context.gateway.news.subscribe();
    let mut shutdown = context.shutdown.clone();
    let mut fields = Fields::default();
    fields.push("content-type", "text/event-stream");
    fields.push("cache-control", "no-store");
    fields.push("x-accel-buffering", "no");
    exchange.start(StatusCode::OK, fields, BodySize::Unknown)?;
    if exchange.request.head.method == Method::HEAD {
        return exchange.downstream.finish().await;
    }
    // More than there can be: the first event tells all of it.
    let mut told = u64::MAX;
    loop {
        let text = serde_json::to_string(&state::news(context.gateway, &mut told)).unwrap_or_default();
        exchange.body(Bytes::from(format!("event: state\ndata: {text}\n\n"))).await?;
        exchange.downstream.flush().await?;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = news.changed() => {}
            () = stopping(&mut shutdown) => return exchange.downstream.finish().await,
        }
    }
}

async fn reload(gateway: &std::sync::Arc<Gateway>, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
    let own = gateway.clone();
    let done = tokio::task::spawn_blocking(move || own.reload()).await;
    let done = done.map_err(|error| OwnFault::File(error.to_string()))?;
    let snapshot = gateway.snapshot();
    let version = snapshot.version;
    let (status, answer) = match done {
        Ok(()) => (StatusCode::OK, json!({"version": version, "waiting": snapshot.waiting})),
        Err(errors) => {
            (StatusCode::UNPROCESSABLE_ENTITY, json!({"version": version, "error": errors.to_string()}))
        }
    };
    reply(exchange, status, "application/json", answer.to_string().into()).await
}

async fn drain(
    gateway: &Gateway,
    exchange: &mut Exchange<'_>,
    upstream: &str,
    server: &str,
    drained: bool,
) -> Result<(), Fault> {
    only(exchange, &Method::POST)?;
    let server_name = percent_encoding::percent_decode_str(server).decode_utf8_lossy();
    let pools = gateway.registry.pools();
    let pool = pools.get(upstream).ok_or(ClientFault::NoRoute)?;
    let servers = pool.servers();
    let server = servers.iter().find(|server| *server.name == *server_name).ok_or(ClientFault::NoRoute)?;
    server.drain(drained);
    tracing::info!(upstream, server = &*server.name, drained, "an operator changed a server");
    gateway.announce();
    let answer = json!({"address": &*server.name, "state": server.state()});
    reply(exchange, StatusCode::OK, "application/json", answer.to_string().into()).await
}
