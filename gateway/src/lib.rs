//! The edge: TLS, static files, routing to health-checked services.
//!
//! The way of a request through the rooms, and where to change what:
//!
//! ```text
//! listen    a socket is accepted (Pingora), counted, brought through TLS (rustls)      listen/mod.rs
//!   │
//! edge      its bytes become a request: strictly, in time          edge/h1.rs, edge/h2.rs, wire/request.rs
//!   │       then meets the one list of steps for both protocols    edge/mod.rs
//! route     longest path, host, method                             route/table.rs
//!   │
//! guard     addresses, rate, body size, CORS, identity             guard/
//!   │
//! lane      answers: static_files/, proxy/, tunnel/, redirect.rs; problem.rs when something says no
//!   │
//! upstream  which server: pool.rs, balance.rs; is it well: health.rs, server.rs; connections: connection.rs
//! ```
//!
//! `observe/` is told what happened and never asked; `admin/` shows it. `config/` is the file as typed,
//! [`snapshot`] what a reload swaps, [`gateway`] what lives on. `exchange/` hides from all of them
//! whether a request came by HTTP/1.1 or HTTP/2. Faults have names in [`fault`]: whose, what, which status.

mod admin;
mod cli;
mod config;
mod edge;
mod exchange;
mod fault;
#[cfg(test)]
mod fuzzing;
mod gateway;
mod guard;
mod idle;
mod lane;
mod listen;
mod observe;
mod route;
mod snapshot;
mod tls;
mod upkeep;
mod upstream;
mod wire;
mod within;

pub use cli::{Args, cli};
pub use config::Settings;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Context as _;
use irongate_shared::config::{Env, Platform, Source};
use pingora::{
    server::{
        RunArgs, Server,
        configuration::{Opt, ServerConf},
    },
    services::background::background_service,
};

use crate::{
    edge::Door,
    gateway::{Gateway, Parts},
    guard::identity::Identities,
    lane::static_files::site::Site,
    listen::drain::{Drain, Signals},
    observe::{Observe, access_log::AccessLog},
    snapshot::Snapshot,
    tls::Certificates,
    upkeep::Upkeep,
    upstream::Registry,
};

/// Runs the gateway until it is told to stop. Blocks; Pingora owns its threads and runtimes.
///
/// # Errors
/// A listen address that cannot be bound, a data directory that cannot be written. Mistakes in the
/// configuration come as [`irongate_shared::config::ConfigErrors`] inside the error.
pub fn run(source: Source, environment: BTreeMap<String, String>, upgrade: bool) -> anyhow::Result<()> {
    let platform = Platform::from_env(&environment)?;
    let loaded = gateway::read(&source, &environment as &dyn Env)?;
    let checked = snapshot::check(loaded.settings.clone())?;
    let settings = loaded.settings;
    tracing::info!(version = irongate_shared::VERSION, settings = loaded.origin, "irongate gateway");

    raise_file_limit();
    let data = platform.data.clone();
    std::fs::create_dir_all(&data).with_context(|| format!("creating {}", data.display()))?;
    if !upgrade {
        listen::can_be_bound(&settings)?;
        // Left by a successor that was killed while it waited; most often there is none.
        let _ = std::fs::remove_file(data.join("upgrade.sock"));
    }
    let certificates = Certificates::load(&settings.tls, &data)?;
    tls::share_authority(&data, &platform.authority).context("sharing the authority's certificate")?;
    let registry = Registry::new();
    let snapshot = Snapshot::build(checked, loaded.origin, 1, &registry);
    let site = Site::new(settings.files.clone());
    site.look_first();
    if site.index().len() == 0 {
        tracing::warn!(root = %settings.files.root.display(), "there are no files to serve");
    }
    let gateway = Arc::new(Gateway::new(Parts {
        snapshot,
        registry,
        site,
        certificates,
        observe: Observe::new(AccessLog::start(&settings.log).context("starting the access log")?),
        identities: Identities::new(platform),
        admin_token: admin_token(&data)?,
        data: data.clone(),
        source,
        environment,
    }));

    let conf = ServerConf {
        upgrade_sock: gateway.upgrade_socket().display().to_string(),
        // Our own drain ends the process, by settings that a reload may change.
        grace_period_seconds: Some(GRACE_CEILING_S),
        graceful_shutdown_timeout_seconds: Some(1),
        // A connection stays on its thread: what became ready together is answered together.
        work_stealing: false,
        ..ServerConf::default()
    };
    let opt = Opt { upgrade, ..Opt::default() };
    let mut server = Server::new_with_opt_and_conf(opt, conf);
    server.bootstrap();
    server.add_service(background_service("upkeep", Upkeep(gateway.clone())));
    server.add_service(background_service("drain", Drain(gateway.clone())));
    let workers = settings
        .listen
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    let redirects = !settings.listen.https.is_empty();
    for (door, addresses, threads) in [
        // Without HTTPS of our own there is nothing to lead to.
        if redirects {
            (Door::Redirect, &settings.listen.http, 1)
        } else {
            (Door::Plain, &settings.listen.http, workers)
        },
        (Door::Plain, &settings.listen.plain, workers),
        (Door::Secure, &settings.listen.https, workers),
        (Door::Admin, &settings.admin.listen, 1),
    ] {
        if !addresses.is_empty() {
            tracing::info!(door = ?door, addresses = addresses.join(", "), "listening");
            server.add_service(listen::service(&gateway, door, addresses, threads));
        }
    }
    server.run(RunArgs { shutdown_signal: Box::new(Signals(gateway)) });
    Ok(())
}

/// After which Pingora ends a process by itself.
const GRACE_CEILING_S: u64 = 86_400;

/// Every connection is a file; the soft limit that shells set is made for programs with a handful.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
}

/// The token that opens the admin listener: made at the first start, kept with owner-only permissions.
fn admin_token(data: &Path) -> anyhow::Result<String> {
    let file = data.join("admin-token");
    if let Ok(token) = std::fs::read_to_string(&file)
        && token.trim().len() >= 32
    {
        return Ok(token.trim().to_owned());
    }
    let mut secret = [0u8; 24];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut secret)
        .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let token = hex::encode(secret);
    tls::write_private(&file, token.as_bytes()).with_context(|| format!("writing {}", file.display()))?;
    tracing::info!(token, file = %file.display(), "a token for the admin listener was made");
    Ok(token)
}
