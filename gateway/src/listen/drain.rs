//! The end: who asks for it, and how long it may take.
//!
//! Pingora sleeps through its whole grace period even when nothing is open any more. The service here ends the
//! process as soon as the last connection is gone; Pingora's own end remains as the ceiling.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use async_trait::async_trait;
use pingora::{
    server::{ShutdownSignal, ShutdownSignalWatch, ShutdownWatch},
    services::background::BackgroundService,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout},
};

use crate::gateway::Gateway;

/// How long SIGQUIT waits for a process that takes the sockets.
const SUCCESSOR: Duration = Duration::from_secs(10);

/// SIGTERM and SIGINT: finish what is in flight. SIGQUIT: hand the sockets to the process that was started
/// with `--upgrade`, then the same.
pub(crate) struct Signals(pub(crate) Arc<Gateway>);

impl Signals {
    /// Whether a process waits for the sockets. Pingora would end this one without a successor, too.
    async fn has_successor(&self) -> bool {
        let socket = self.0.upgrade_socket();
        let appears = async {
            while !socket.exists() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SUCCESSOR, appears).await.is_ok()
    }
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::quit()))
        else {
            tracing::error!("signals cannot be received");
            return ShutdownSignal::GracefulTerminate;
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => return ShutdownSignal::GracefulTerminate,
                _ = interrupt.recv() => return ShutdownSignal::GracefulTerminate,
                _ = quit.recv() => {}
            }
            if self.has_successor().await {
                self.0.is_replaced.store(true, Relaxed);
                return ShutdownSignal::GracefulUpgrade;
            }
            tracing::error!(
                "nobody waits for the sockets: start the new process with `--upgrade` before SIGQUIT"
            );
        }
    }
}

pub(crate) struct Drain(pub(crate) Arc<Gateway>);

#[async_trait]
impl BackgroundService for Drain {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        if shutdown.wait_for(|down| *down).await.is_err() {
            return;
        }
        let grace = self.0.grace();
        tracing::info!(open = self.0.observe.open_connections(), ?grace, "draining");
        let mut deadline = Instant::now() + grace;
        let mut hurry = signal(SignalKind::terminate()).ok();
        let mut hurried = async || match &mut hurry {
            Some(terminate) => drop(terminate.recv().await),
            None => std::future::pending().await,
        };
        // Accept loops may hand us a last connection just after the signal.
        tokio::time::sleep(Duration::from_millis(100)).await;
        while self.0.observe.open_connections() > 0 && Instant::now() < deadline {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                () = hurried() => {
                    deadline = deadline.min(Instant::now() + self.0.snapshot().settings.shutdown.grace.get());
                }
            }
        }
        tracing::info!(left = self.0.observe.open_connections(), "stopped");
        self.0.observe.flush_log();
        if let Some(exporter) = irongate_shared::traces::exporter() {
            exporter.flush();
        }
        // The main thread sleeps inside Pingora and cannot be woken.
        std::process::exit(0);
    }
}
