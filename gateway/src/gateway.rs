//! What lives as long as the process: the current snapshot, the upstreams, the frontend's index, the
//! certificates, and what is told to the log.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use irongate_shared::config::{ConfigErrors, Env, Loaded, Source, load};
use jiff::Timestamp;
use pingora::server::ShutdownWatch;
use tokio::sync::watch;

use crate::{
    config::Settings,
    guard::{
        identity::Identities,
        rate::{Caller, Limiter},
    },
    lane::{full::FullLane, static_files::site::Site},
    listen::caps::ConnectionCaps,
    observe::Observe,
    snapshot::{self, Snapshot},
    tls::Certificates,
    upstream::Registry,
};

pub(crate) struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    pub(crate) registry: Registry,
    pub(crate) site: Site,
    pub(crate) certificates: Certificates,
    pub(crate) observe: Observe,
    pub(crate) identities: Identities,
    pub(crate) full: FullLane,
    pub(crate) caps: ConnectionCaps,
    /// Per route (`None`: all together) and caller.
    pub(crate) limiter: Limiter<(Option<Arc<str>>, Caller)>,
    pub(crate) handshakes: Limiter<IpAddr>,
    pub(crate) data: PathBuf,
    pub(crate) admin_token: String,
    source: Source,
    environment: BTreeMap<String, String>,
    /// Settings come from a file: one that is gone is a mistake, and not the wish for the defaults.
    reads_file: AtomicBool,
    /// Another process has taken the sockets over.
    pub(crate) is_replaced: AtomicBool,
    last_reload_error: Mutex<Option<ReloadError>>,
    /// One reload at a time: a saved file and a SIGHUP often come together.
    reloading: Mutex<()>,
    /// Counts what the dashboard wants to show at once.
    pub(crate) news: watch::Sender<u64>,
}

/// Why the last reload changed nothing.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct ReloadError {
    pub(crate) at: String,
    pub(crate) message: String,
}

/// What [`Gateway::new`] is made of, ready but not yet running.
pub(crate) struct Parts {
    pub(crate) snapshot: Snapshot,
    pub(crate) registry: Registry,
    pub(crate) site: Site,
    pub(crate) certificates: Certificates,
    pub(crate) observe: Observe,
    pub(crate) identities: Identities,
    pub(crate) data: PathBuf,
    pub(crate) admin_token: String,
    pub(crate) source: Source,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Gateway {
    pub(crate) fn new(parts: Parts) -> Self {
        let reads_file = parts.source.file.as_deref().is_some_and(std::path::Path::exists);
        Self {
            reads_file: AtomicBool::new(reads_file),
            snapshot: ArcSwap::from_pointee(parts.snapshot),
            registry: parts.registry,
            site: parts.site,
            certificates: parts.certificates,
            observe: parts.observe,
            identities: parts.identities,
            full: FullLane::new(),
            caps: ConnectionCaps::default(),
            limiter: Limiter::default(),
            handshakes: Limiter::default(),
            data: parts.data,
            admin_token: parts.admin_token,
            source: parts.source,
            environment: parts.environment,
            is_replaced: AtomicBool::new(false),
            last_reload_error: Mutex::default(),
            reloading: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn last_reload_error(&self) -> Option<ReloadError> {
        self.last_reload_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where a process that was started with `--upgrade` waits for the sockets.
    pub(crate) fn upgrade_socket(&self) -> PathBuf {
        self.data.join("upgrade.sock")
    }

    /// How long requests in flight may take to finish.
    pub(crate) fn grace(&self) -> Duration {
        let shutdown = self.snapshot().settings.shutdown.clone();
        if self.is_replaced.load(Relaxed) { shutdown.upgrade_grace.get() } else { shutdown.grace.get() }
    }

    /// The file that reloads read, where there is one.
    pub(crate) fn config_file(&self) -> Option<&std::path::Path> {
        self.source.file.as_deref()
    }

    /// Tells dashboards to look at once.
    pub(crate) fn announce(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Reads file and environment again. A mistake leaves everything as it was. Blocks: files are read.
    pub(crate) fn reload(&self) -> Result<(), ConfigErrors> {
        let _alone = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.try_reload();
        *self.last_reload_error.lock().unwrap_or_else(PoisonError::into_inner) =
            done.as_ref().err().map(|errors| ReloadError {
                at: crate::observe::clock::iso(Timestamp::now()),
                message: errors.to_string(),
            });
        match &done {
            Ok(()) => tracing::info!(version = self.snapshot().version, "configuration reloaded"),
            Err(errors) => tracing::error!(%errors, "configuration refused, the old one stays in force"),
        }
        self.announce();
        done
    }

    fn try_reload(&self) -> Result<(), ConfigErrors> {
        let is_there = self.config_file().is_some_and(std::path::Path::exists);
        let reads_file = self.reads_file.fetch_or(is_there, Relaxed) || is_there;
        // An editor that replaces the file leaves none for a moment; routes must not fall to the defaults then.
        let source = Source { required: self.source.required || reads_file, ..self.source.clone() };
        let Loaded { settings, origin } = read(&source, &self.environment)?;
        let mut checked = snapshot::check(settings)?;
        let waiting = checked.settings.keep_what_was_read_at_the_start(&self.snapshot().settings);
        if !waiting.is_empty() {
            tracing::warn!(
                keys = waiting.join(", "),
                "changed, but in force only after a restart or an upgrade"
            );
        }
        let settings = &checked.settings;
        // Certificates are last of what can fail, and swap as a whole.
        self.certificates.reload(&settings.tls, &self.data)?;
        self.site.configure(settings.files.clone());
        self.site.refresh();
        self.observe.configure_log(&settings.log);
        let version = self.snapshot().version + 1;
        let snapshot = Snapshot { waiting, ..Snapshot::build(checked, origin, version, &self.registry) };
        self.snapshot.store(Arc::new(snapshot));
        Ok(())
    }
}

/// Resolves when the gateway is told to stop.
pub(crate) async fn stopping(shutdown: &mut ShutdownWatch) {
    // An error means that whoever would tell is gone already.
    let _ = shutdown.wait_for(|down| *down).await;
}

/// Settings from the file and the environment.
pub(crate) fn read(source: &Source, environment: &dyn Env) -> Result<Loaded<Settings>, ConfigErrors> {
    load(source, environment)
}
