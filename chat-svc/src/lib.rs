//! chat-svc: rooms and messages over REST and WebSocket, and nothing lost between them.
//!
//! ```text
//! http/   one file per verb ─┐
//! ws/     a task per socket ─┴─▶ chat/ ──▶ log/ ──▶ store/
//!            ▲                   one path    write     diesel and
//!            │                   to the      lanes     nothing but
//!            │                   rules
//!            └─── hub/ ◀── what the lanes committed, and what other replicas tell through broker/
//! ```
//!
//! A message's way: `ws/command.rs` (or `http/message/send.rs`) parses it, `chat::Chat::act` queues it at its room's
//! lane, `log/batch.rs` decides and stores it with its neighbours, `log/lane.rs` answers after the commit and tells the
//! hub, `hub/order.rs` puts it in order, `ws/worker.rs` hands the same bytes to every follower's outbox.
//!
//! - Who may do what in a room: `room/rules.rs`, pure and on one screen.
//! - What takes a seq, and how it looks on the wire: `room/event.rs`.
//! - Why no event is lost: `hub/mod.rs`, `ws/follow.rs`.
//! - Files in messages, from the upload to the deletion: `attachment/mod.rs`.
//! - What bounds a client: `ws/guard.rs`, `ws/outbox.rs`, `chat/pace.rs`, `config.rs`.

mod attachment;
mod broker;
mod census;
mod chat;
mod config;
#[cfg(test)]
mod fuzzing;
mod http;
mod hub;
mod log;
mod metrics;
mod people;
mod presence;
mod room;
mod store;
mod ws;

use std::{process::ExitCode, sync::Arc};

use actix_web::web;
use anyhow::Context as _;
use broker::Broker;
use irongate_shared::{
    clock::Clock,
    config::DatabaseUrl,
    db::Database,
    health::{Health, Need},
    peer::Peer,
    service::{self, Program, Service, Started},
    token::Verifier,
};
use prometheus::{IntGauge, Registry};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use config::{Attachments, Limits, S3, Settings, Store};
pub use ws::Wire;

/// News that may wait for the hub; lanes wait when there is more.
const NEWS: usize = 1_024;

/// The command line: settings come from the environment.
#[derive(Debug, clap::Parser)]
#[command(name = "chat-svc", version, about = "Rooms and messages")]
pub struct Args {
    /// Ask the service that runs here how it is; exit code 0 when it serves
    #[arg(long)]
    health: bool,
}

/// Runs the service until a signal; its exit code is the process's.
pub fn start(Args { health }: Args) -> ExitCode {
    let program = Program {
        name: "chat-svc",
        prefix: Settings::PREFIX,
        listen: |settings: &Settings| &settings.listen,
    };
    service::main(&program, health, run)
}

/// Runs the service until `shutdown`, then says goodbye to its sockets and finishes what is queued.
///
/// # Errors
/// Settings that cannot be right, a database that is away at the start, an address that cannot be listened on.
pub async fn run(started: Started<Settings>) -> anyhow::Result<()> {
    let Started { settings, platform, shutdown } = started;
    settings.check()?;
    let clock = Clock::system();
    let registry = Registry::new();
    let metrics = metrics::Metrics::register(&registry).context("registering metrics")?;
    let database = Database::open(&platform.database, settings.database_connections).await?;
    let issuer = platform.issuer();
    let verifier = Verifier::new(database.clone(), &issuer, clock.clone())
        .hurried_by(platform.redis.as_ref())
        .context("REDIS_URL")?;

    let lanes = match platform.database {
        DatabaseUrl::Sqlite(_) => 1,
        DatabaseUrl::Postgres(_) => settings.write_lanes,
    };
    let (tell, news) = mpsc::channel(NEWS);
    let (log, lanes) = log::Log::start(&platform.database, lanes, &clock, &metrics, &tell)?;
    drop(tell);
    let broker = match &platform.redis {
        Some(url) => Broker::redis(url, &metrics).context("REDIS_URL")?,
        None => Broker::none(matches!(platform.database, DatabaseUrl::Postgres(_))),
    };
    let (hub, hub_task) = hub::Task::new(database.clone(), metrics.clone(), news, broker);
    let hub_task = tokio::spawn(hub_task.run());
    let peer = Peer::new(&platform, "chat-svc").context("this service's secret")?;
    let chat =
        chat::Chat::new(database.clone(), log, hub, clock, metrics.clone(), peer, settings.limits.clone());

    let attachments = Arc::new(attachment::Attachments::new(
        &settings.attachments,
        settings.limits.uploads_per_second,
        &platform.data,
        database.clone(),
        chat.clock.clone(),
    )?);
    let stop_sweeping = CancellationToken::new();
    let sweeping = tokio::spawn(Arc::clone(&attachments).sweep(stop_sweeping.clone()));

    let drain = CancellationToken::new();
    let drained = TaskTracker::new();
    let door = web::Data::new(ws::Door {
        allowed_origins: settings.allowed_origins.iter().cloned().chain([issuer]).collect(),
        census: Arc::default(),
        drain: drain.clone(),
        replica: uuid::Uuid::now_v7().to_string(),
    });

    let stop_serving = CancellationToken::new();
    let draining = {
        let (shutdown, drain, drained, stop) =
            (shutdown, drain.clone(), drained.clone(), stop_serving.clone());
        tokio::spawn(async move {
            shutdown.cancelled().await;
            drain.cancel();
            drained.close();
            drained.wait().await;
            stop.cancel();
        })
    };
    let service = Service {
        name: "chat-svc",
        prefix: "/chat",
        listen: settings.listen,
        metrics: settings.metrics.0,
        workers: match settings.workers {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            workers => workers,
        },
        document: http::document(),
        health: health(
            &database,
            &attachments,
            &drain,
            platform.redis.is_some().then(|| metrics.broker_up.clone()),
        ),
        registry,
        on_connect: Some(ws::set_socket_options),
    };
    let heartbeat = settings.heartbeat.get();
    let shared_chat = web::Data::from(Arc::clone(&chat));
    let shared_attachments = web::Data::from(attachments);
    let routes = move |config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>| {
        // Called once on each worker thread.
        let worker = ws::Worker::start(&shared_chat, &verifier, heartbeat, &drain, &drained);
        config
            .app_data(shared_chat.clone())
            .app_data(shared_attachments.clone())
            .app_data(web::Data::new(verifier.clone()))
            .app_data(web::Data::new(worker))
            .app_data(door.clone())
            .configure(http::routes);
    };
    let served = service.run(routes, stop_serving).await;
    draining.abort();
    stop_sweeping.cancel();
    sweeping.await.context("deleting files")?;
    // The last clone of the log ends the lanes, the lanes end the hub.
    drop(chat);
    tokio::task::spawn_blocking(move || lanes.join()).await.context("waiting for the write lanes")?;
    hub_task.await.context("the hub")?;
    served
}

fn health(
    database: &Database,
    attachments: &Arc<attachment::Attachments>,
    drain: &CancellationToken,
    broker: Option<IntGauge>,
) -> Health {
    let (database, attachments, drain) = (database.clone(), Arc::clone(attachments), drain.clone());
    let health = Health::new("chat-svc")
        .check("database", Need::Required, move || {
            let database = database.clone();
            async move { database.ping().await }
        })
        .check("attachments", Need::Optional, move || {
            let attachments = Arc::clone(&attachments);
            async move { attachments.ping().await }
        })
        .check("accepting", Need::Required, move || {
            let stopping = drain.is_cancelled();
            async move { if stopping { Err("this replica is stopping".to_owned()) } else { Ok(()) } }
        });
    let Some(up) = broker else { return health };
    health.check("redis", Need::Optional, move || {
        let up = up.get() == 1;
        async move {
            if up { Ok(()) } else { Err("carries no events; the database is asked instead".to_owned()) }
        }
    })
}
