//! The end: who asks for it, and how long it may take.
//!
//! Pingora sleeps through its whole grace period even when nothing is open any more. The service here ends the
//! process as soon as the last connection is gone; Pingora's own end remains as the ceiling.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pingora::{
    server::{ShutdownSignal, ShutdownSignalWatch, ShutdownWatch},
    services::background::BackgroundService,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::gateway::Gateway;

/// SIGTERM and SIGINT: finish what is in flight. SIGQUIT: hand the sockets to the process that was started
/// with `--upgrade`, then the same.
pub(crate) struct Signals;

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut quit)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::quit()))
        else {
            tracing::error!("signals cannot be received");
            return ShutdownSignal::GracefulTerminate;
        };
        tokio::select! {
            _ = terminate.recv() => ShutdownSignal::GracefulTerminate,
            _ = interrupt.recv() => ShutdownSignal::GracefulTerminate,
            _ = quit.recv() => ShutdownSignal::GracefulUpgrade,
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
        let grace = self.0.snapshot().settings.shutdown.grace.get();
        tracing::info!(open = self.0.observe.open_connections(), ?grace, "draining");
        let deadline = Instant::now() + grace;
        // Accept loops may hand us a last connection just after the signal.
        tokio::time::sleep(Duration::from_millis(100)).await;
        while self.0.observe.open_connections() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
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
