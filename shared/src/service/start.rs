//! From the process's start to its exit code.

use std::{future::Future, process::ExitCode};

use serde::{Serialize, de::DeserializeOwned};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Listen, Platform, ProcessEnv, Source},
    health, telemetry, traces,
};

/// What a program is called, and where its settings come from.
pub struct Program<S> {
    pub name: &'static str,
    /// `IRONGATE_CHAT`
    pub prefix: &'static str,
    /// Where its settings say that it serves.
    pub listen: fn(&S) -> &Listen,
}

/// What a service's `run` gets.
pub struct Started<S> {
    pub settings: S,
    pub platform: Platform,
    /// Cancelled by SIGTERM or SIGINT: finish what is in flight, then return.
    pub shutdown: CancellationToken,
}

/// Reads settings and environment, starts logging, runs `run` on actix's system until it returns. With `ask_health`
/// it asks the process that runs by the same settings instead ([`health::ask`]).
///
/// Exit codes: 2 for settings that cannot be right, 1 for a failure while running.
pub fn main<S, F>(program: &Program<S>, ask_health: bool, run: impl FnOnce(Started<S>) -> F) -> ExitCode
where
    S: DeserializeOwned + Serialize + Default,
    F: Future<Output = anyhow::Result<()>>,
{
    crate::install_crypto_provider();
    let source = Source { file: None, required: false, prefix: program.prefix };
    let settings = config::load::<S>(&source, &ProcessEnv);
    if let (true, Ok(loaded)) = (ask_health, &settings) {
        return health::ask((program.listen)(&loaded.settings));
    }
    let platform = Platform::from_env(&ProcessEnv);
    let (loaded, platform) = match (settings, platform) {
        (Ok(loaded), Ok(platform)) => (loaded, platform),
        (settings, platform) => {
            for mistakes in [settings.err(), platform.err()].into_iter().flatten() {
                complain(program.name, &mistakes.to_string());
            }
            return ExitCode::from(2);
        }
    };
    telemetry::start(platform.log, &ProcessEnv);
    if let Err(mistake) = traces::start(program.name, &ProcessEnv) {
        complain(program.name, &mistake.to_string());
        return ExitCode::from(2);
    }
    tracing::info!(
        version = crate::VERSION,
        settings = loaded.origin,
        database = %platform.database,
        redis = platform.redis.is_some(),
        data = %platform.data.display(),
        "starting"
    );
    let ended = actix_web::rt::System::new().block_on(async {
        let shutdown = CancellationToken::new();
        stop_on_signal(shutdown.clone())?;
        run(Started { settings: loaded.settings, platform, shutdown }).await
    });
    if let Some(exporter) = traces::exporter() {
        exporter.flush();
    }
    match ended {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain(program.name, &format!("{why:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The one place where a service writes to standard error by itself: logging may not be there yet.
fn complain(program: &str, why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{program}: {why}");
}

fn stop_on_signal(shutdown: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing what is in flight");
        shutdown.cancel();
    });
    Ok(())
}
