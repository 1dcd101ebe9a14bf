//! user-svc: who the users are. Registration, profiles, and what administrators do with accounts.
//!
//! ```text
//! http/routes.rs ── http/<noun>/<verb>.rs ──▶ account/ ──▶ store/
//!   the whole API     request to call,          the rules     diesel and nothing but
//!   on one screen     result to answer
//! ```
//!
//! - Which names and addresses are accepted: [`account`], in `fields.rs`.
//! - Every change of an account goes through one function, `account::change`: version, `If-Match`, events.
//! - What the other services are told, and what we hear: [`events`]. Pictures: [`avatar`]. Erasure: [`upkeep`].
//! - Passwords are hashed at registration and then never seen here again: they are auth-svc's.

mod account;
mod avatar;
mod config;
mod create_admin;
mod events;
mod http;
mod store;
mod upkeep;

use std::{process::ExitCode, sync::Arc};

use actix_web::web;
use anyhow::Context as _;
use irongate_shared::{
    clock::Clock,
    db::Database,
    health::{Health, Need},
    outbox::Deliveries,
    password::Hasher,
    peer::Peer,
    service::{self, Program, Service, Started},
    token::Verifier,
};
use prometheus::Registry;
use tokio_util::task::TaskTracker;

pub use config::Settings;
pub use create_admin::{NewAdmin, create_admin};

/// The command line: settings come from the environment.
#[derive(Debug, clap::Parser)]
#[command(name = "user-svc", version, about = "Registration and profiles")]
pub struct Args {
    /// Ask the service that runs here how it is; exit code 0 when it serves
    #[arg(long)]
    health: bool,
}

/// Runs the service until a signal; its exit code is the process's.
pub fn start(Args { health }: Args) -> ExitCode {
    let program = Program {
        name: "user-svc",
        prefix: Settings::PREFIX,
        listen: |settings: &Settings| &settings.listen,
    };
    service::main(&program, health, run)
}

/// Runs the service until `shutdown`.
///
/// # Errors
/// The database is away at the start, an address cannot be listened on, or the server fails.
pub async fn run(started: Started<Settings>) -> anyhow::Result<()> {
    run_at(started, Clock::system()).await
}

/// [`run`], by a clock that a test may move.
///
/// # Errors
/// As [`run`].
pub async fn run_at(started: Started<Settings>, clock: Clock) -> anyhow::Result<()> {
    let Started { settings, platform, shutdown } = started;
    let registry = Registry::new();
    let database = Database::open(&platform.database, settings.database_connections).await?;
    let hasher = Hasher::start(settings.bcrypt_cost, settings.hash_threads, settings.hash_queue, &registry)?;
    let verifier = Verifier::new(database.clone(), &platform.issuer(), clock.clone())
        .hurried_by(platform.redis.as_ref())
        .context("REDIS_URL")?;
    let wake = events::Wakes::default();
    let peer = Arc::new(Peer::new(&platform, "user-svc").context("this service's secret")?);
    let tasks = TaskTracker::new();
    for (route, wake) in events::ROUTES.into_iter().zip(&wake) {
        let deliveries = Deliveries {
            route,
            database: database.clone(),
            clock: clock.clone(),
            peer: Arc::clone(&peer),
            wake: Arc::clone(wake),
        };
        tasks.spawn(deliveries.run(shutdown.clone()));
    }
    let accounts = web::Data::new(account::Accounts { database: database.clone(), clock, hasher, wake });
    let kept = settings.deleted_kept.get();
    tasks.spawn(upkeep::run(accounts.clone().into_inner(), kept, shutdown.clone()));
    let trusted = web::Data::new(service::TrustedProxies(settings.trusted_proxies));

    let service = Service {
        name: "user-svc",
        prefix: "/user",
        listen: settings.listen,
        metrics: settings.metrics.0,
        workers: settings.workers,
        document: http::document(),
        health: Health::new("user-svc").check("database", Need::Required, move || {
            let database = database.clone();
            async move { database.ping().await }
        }),
        registry,
        on_connect: None,
    };
    let routes = move |config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>| {
        config
            .app_data(accounts.clone())
            .app_data(trusted.clone())
            .app_data(web::Data::new(verifier.clone()))
            .configure(http::routes);
    };
    let ended = service.run(routes, shutdown.clone()).await;
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    ended
}
