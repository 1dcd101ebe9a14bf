//! What goes on beside requests: health checks, the frontend's index, the second's numbers, and the watch for
//! changed files, expiring certificates and SIGHUP.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use pingora::{server::ShutdownWatch, services::background::BackgroundService};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{MissedTickBehavior, interval, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{config::TlsMode, gateway::Gateway, tls::acme};

const SECOND: Duration = Duration::from_secs(1);
/// Before the second try of an order; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// How often the keys of session tickets are looked at; the first use of a new one is later than that.
const TICKETS: Duration = Duration::from_secs(60);
/// The walk through the frontend takes one part in so many of one processor.
const WALK_SHARE: u32 = 50;
/// A changed file is taken when it stayed the same for so long, or after so many looks at the latest.
const SETTLING: Duration = Duration::from_millis(200);
const SETTLING_MAX: usize = 50;
/// How often the self-signed certificate is looked at for renewal.
const RENEWAL: Duration = Duration::from_secs(3600);

pub(crate) struct Upkeep(pub(crate) Arc<Gateway>);

#[async_trait]
impl BackgroundService for Upkeep {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let gateway = self.0.clone();
        let token = stop.clone();
        tasks.spawn(async move { gateway.registry.run(token).await });
        tasks.spawn(numbers(self.0.clone(), stop.clone()));
        tasks.spawn(files(self.0.clone(), stop.clone()));
        tasks.spawn(orders(self.0.clone(), stop.clone()));
        tasks.spawn(tickets(self.0.clone(), stop.clone()));
        tasks.spawn(hangup(self.0.clone(), stop.clone()));
        // Health checks go on while requests in flight finish: they may need another server yet.
        let _ = shutdown.wait_for(|down| *down).await;
        tokio::time::sleep(self.0.grace()).await;
        stop.cancel();
        while tasks.join_next().await.is_some() {}
    }
}

async fn numbers(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut tick = interval(SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => gateway.observe.tick(),
            () = stop.cancelled() => return,
        }
    }
}

/// Orders certificates from the ACME authority when they are due; after a failure it waits ever longer, as
/// authorities ask for.
async fn orders(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut failures = 0u32;
    loop {
        let settings = gateway.snapshot().settings.tls.clone();
        let mut pause = SECOND;
        if settings.mode == TlsMode::Acme && acme::is_due(&settings, &gateway.data) {
            tracing::info!(hosts = settings.hosts.join(", "), "a certificate is ordered");
            match acme::order(&settings, &gateway.data, &gateway.certificates.challenges).await {
                Ok(()) => {
                    failures = 0;
                    reload(&gateway).await;
                }
                Err(error) => {
                    failures += 1;
                    pause = FIRST_PAUSE.saturating_mul(1 << failures.min(7)).min(RENEWAL);
                    tracing::error!(%error, next_try_s = pause.as_secs(), "the certificate was not obtained");
                }
            }
        } else if settings.mode == TlsMode::Acme {
            pause = RENEWAL / 60;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn tickets(gateway: Arc<Gateway>, stop: CancellationToken) {
    let mut tick = interval(TICKETS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        let own = gateway.clone();
        let _ = tokio::task::spawn_blocking(move || own.certificates.refresh_tickets()).await;
    }
}

async fn hangup(gateway: Arc<Gateway>, stop: CancellationToken) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    loop {
        tokio::select! {
            _ = hangups.recv() => reload(&gateway).await,
            () = stop.cancelled() => return,
        }
    }
}

async fn reload(gateway: &Arc<Gateway>) {
    let gateway = gateway.clone();
    // The outcome is logged and shown where it is decided.
    let _ = tokio::task::spawn_blocking(move || gateway.reload().is_ok()).await;
}

/// Looks every second at what may have changed on disk.
async fn files(gateway: Arc<Gateway>, stop: CancellationToken) {
    // They were looked at just now.
    let mut tick = interval_at(tokio::time::Instant::now() + SECOND, SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut seen = stamps(&gateway);
    let mut looked_for_renewal = tokio::time::Instant::now();
    let mut next_walk = looked_for_renewal;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        let own = gateway.clone();
        let walks = tokio::time::Instant::now() >= next_walk;
        let look = move || (walks.then(|| own.site.refresh()), stamps(&own));
        let Ok((walked, now)) = tokio::task::spawn_blocking(look).await else { continue };
        if let Some(took) = walked {
            // Tens of thousands of files are looked at less often, so that looking stays cheap.
            next_walk = tokio::time::Instant::now() + took * WALK_SHARE;
        }
        let due = looked_for_renewal.elapsed() > RENEWAL
            && gateway.snapshot().settings.tls.mode == TlsMode::SelfSigned;
        if due {
            looked_for_renewal = tokio::time::Instant::now();
        }
        if now != seen || due {
            seen = settled(&gateway, now).await;
            reload(&gateway).await;
        }
    }
}

/// Waits until nobody writes any more: half a file may be a good one, with half of the routes.
async fn settled(gateway: &Arc<Gateway>, mut last: Stamps) -> Stamps {
    for _ in 0..SETTLING_MAX {
        tokio::time::sleep(SETTLING).await;
        let now = stamps(gateway);
        if now == last {
            break;
        }
        last = now;
    }
    last
}

/// What tells that a file was written: its length beside its time, which may be coarse.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// Of the files whose change means a reload.
fn stamps(gateway: &Gateway) -> Stamps {
    let snapshot = gateway.snapshot();
    let tls = &snapshot.settings.tls;
    let pairs = tls.certificate.iter().flat_map(|pair| [pair.chain.as_path(), pair.key.as_path()]);
    let watched: Vec<&Path> =
        gateway.config_file().into_iter().chain(pairs).chain(tls.client_authorities.as_deref()).collect();
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    watched.into_iter().map(|path| (path.to_owned(), stamp(path))).collect()
}
