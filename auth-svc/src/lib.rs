//! auth-svc: signing in and out. Tokens, sessions, what is revoked.
//!
//! ```text
//! http/routes.rs ── http/<noun>/<verb>.rs ──▶ sign_in.rs, session/, … ──▶ store/
//!   the whole API     request to call,          the rules                   diesel and nothing but
//!   on one screen     result to answer
//! ```
//!
//! - Who gets in: [`sign_in`], then [`mfa`] for the second factor; [`passkey`] is either; how often one may try: [`throttle`]. What a refresh token is worth, and what a stolen one sets off: [`session`].
//! - Access tokens and the keys that sign them: [`token`]. Verifying them is `irongate_shared::token`.
//! - Passwords and addresses are changed and proven in [`password`] and [`email`], by links in [`mail`].
//! - What user-svc tells of accounts comes in by [`events`].
//! - What is kept for later questions: [`audit`].

mod afterwards;
mod audit;
mod clients;
mod config;
mod email;
mod events;
mod http;
mod mail;
mod mfa;
mod passkey;
mod password;
mod session;
mod sign_in;
mod store;
mod throttle;
mod token;
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
    secret,
    service::{self, Program, Service, Started},
    token::Verifier,
};
use prometheus::Registry;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use url::Url;

use afterwards::Afterwards;
pub use config::Settings;

/// The command line: settings come from the environment.
#[derive(Debug, clap::Parser)]
#[command(name = "auth-svc", version, about = "Sign in, tokens, sessions, revocation")]
pub struct Args {
    /// Ask the service that runs here how it is; exit code 0 when it serves
    #[arg(long)]
    health: bool,
}

/// Everything that the rules of this service work on.
struct Auth {
    database: Database,
    clock: Clock,
    hasher: Hasher,
    signer: token::Signer,
    verifier: Verifier,
    /// What refresh tokens are derived with.
    succession: session::Succession,
    /// What the secrets of authenticator apps are sealed with.
    totp_sealer: Arc<token::Sealer>,
    /// Who checks passkeys.
    relying_party: Arc<passkey::RelyingParty>,
    /// Where links in mails lead.
    origin: Url,
    /// Services that may ask for tokens.
    clients: clients::Clients,
    /// Wakes who tells user-svc what happened.
    wake: Arc<Notify>,
    /// What goes on after its request was answered.
    afterwards: Afterwards,
    settings: Settings,
}

/// Runs the service until a signal; its exit code is the process's.
pub fn start(Args { health }: Args) -> ExitCode {
    let program = Program {
        name: "auth-svc",
        prefix: Settings::PREFIX,
        listen: |settings: &Settings| &settings.listen,
    };
    service::main(&program, health, run)
}

/// Runs the service until `shutdown`.
///
/// # Errors
/// The database is away at the start, secrets do not fit it, an address cannot be listened on, or the server fails.
pub async fn run(started: Started<Settings>) -> anyhow::Result<()> {
    run_at(started, Clock::system()).await
}

/// [`run`], by a clock that a test may move.
///
/// # Errors
/// As [`run`].
pub async fn run_at(started: Started<Settings>, clock: Clock) -> anyhow::Result<()> {
    let Started { settings, platform, shutdown } = started;
    settings.warn();
    let registry = Registry::new();
    let master =
        secret::installed(&platform.secrets, "master.key").context("the installation's master key")?;
    let master = token::MasterKey::new(master);
    let database = Database::open(&platform.database, settings.database_connections).await?;
    let issuer = platform.issuer();
    let signer = token::Signer::open(database.clone(), clock.clone(), &master, &issuer, &settings).await?;
    let verifier = Verifier::new(database.clone(), &issuer, clock.clone())
        .hurried_by(platform.redis.as_ref())
        .context("REDIS_URL")?;
    let hasher = Hasher::start(settings.bcrypt_cost, settings.hash_threads, settings.hash_queue, &registry)?;
    let trusted = web::Data::new(service::TrustedProxies(settings.trusted_proxies.clone()));

    let service = Service {
        name: "auth-svc",
        prefix: "/auth",
        listen: settings.listen.clone(),
        metrics: settings.metrics.0.clone(),
        workers: settings.workers,
        document: http::document(),
        health: Health::new("auth-svc").check("database", Need::Required, {
            let database = database.clone();
            move || {
                let database = database.clone();
                async move { database.ping().await }
            }
        }),
        registry,
        on_connect: None,
    };
    let transport = mail::Transport::new(&settings, &platform)?;
    let tasks = TaskTracker::new();
    let auth = web::Data::new(Auth {
        database,
        clock,
        hasher,
        signer,
        verifier: verifier.clone(),
        succession: session::Succession::new(&master),
        totp_sealer: Arc::new(token::Sealer::new(&master, "totp secrets")),
        relying_party: Arc::new(passkey::RelyingParty::new(&settings, &platform.gateway)?),
        origin: platform.gateway.clone(),
        clients: clients::Clients::installed(&platform).context("the services' secrets")?,
        wake: Arc::default(),
        afterwards: Afterwards::new(tasks.clone()),
        settings,
    });
    tasks.spawn(upkeep::run(auth.clone().into_inner(), shutdown.clone()));
    let deliveries = Deliveries {
        route: events::TO_USERS,
        database: auth.database.clone(),
        clock: auth.clock.clone(),
        peer: Arc::new(Peer::new(&platform, "auth-svc").context("this service's secret")?),
        wake: Arc::clone(&auth.wake),
    };
    tasks.spawn(deliveries.run(shutdown.clone()));
    tasks.spawn(mail::run(auth.clone().into_inner(), transport, shutdown.clone()));

    let routes = move |config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>| {
        config
            .app_data(auth.clone())
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
