//! chat-svc in this process, for one test.

use std::{ops::Deref, thread::JoinHandle, time::Duration};

use irongate_chat_svc::Settings;
use irongate_shared::{
    config::{Listen, ListenOrOff, LogFormat, Platform},
    service::Started,
};
use irongate_test_servers::free_port;
use tokio_util::sync::CancellationToken;

use super::{Backend, Stage, User};

/// Runs a test once per backend: `on_both!(name, |app| { … });`
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($app:ident) $body:block)+) => {
        $(
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                async fn story($app: &crate::support::App) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    let app = crate::support::App::start(crate::support::Backend::Sqlite).await;
                    story(&app).await;
                    app.stop().await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgres() {
                    let app = crate::support::App::start(crate::support::Backend::Postgres).await;
                    story(&app).await;
                    app.stop().await;
                }
            }
        )+
    };
}
pub(crate) use on_both;

pub(crate) struct App {
    pub(crate) base: String,
    pub(crate) metrics: String,
    stage: Stage,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Deref for App {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl App {
    pub(crate) async fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    pub(crate) async fn start_with(backend: Backend, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::start_on(Stage::set(backend).await, adjust).await
    }

    pub(crate) async fn start_on(stage: Stage, adjust: impl FnOnce(&mut Settings)) -> Self {
        let (port, metrics_port) = (free_port(), free_port());
        let mut settings = Settings {
            listen: Listen::Tcp(([127, 0, 0, 1], port).into()),
            metrics: ListenOrOff(Some(Listen::Tcp(([127, 0, 0, 1], metrics_port).into()))),
            workers: 2,
            ..Settings::default()
        };
        // Tests are in a hurry; those about limits set their own.
        settings.limits.frames_per_second = 10_000;
        settings.limits.messages_per_second = 10_000;
        settings.limits.uploads_per_second = 10_000;
        adjust(&mut settings);
        let platform = Platform {
            data: stage.data.path().to_owned(),
            secrets: stage.data.path().join("secrets"),
            authority: stage.data.path().join("tls/authority.pem"),
            database: stage.database_url(),
            redis: None,
            gateway: stage.gateway.parse().expect("a URL"),
            internal: stage.gateway.parse().expect("a URL"),
            log: LogFormat::Text,
        };
        let shutdown = CancellationToken::new();
        let started = Started { settings, platform, shutdown: shutdown.clone() };
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(irongate_chat_svc::run(started))
        });
        let app = Self {
            base: format!("http://127.0.0.1:{port}"),
            metrics: format!("http://127.0.0.1:{metrics_port}/metrics"),
            stage,
            shutdown,
            thread: Some(thread),
        };
        app.stage.ready(&app.base).await;
        app
    }

    pub(crate) fn user(&self, name: &str) -> User {
        self.stage.user(&self.base, name)
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Stops the service as SIGTERM does; it must end cleanly and soon.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        let thread = self.thread.take().expect("stopped once");
        let ended = tokio::task::spawn_blocking(move || thread.join());
        let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it stops in time");
        ended.expect("joined").expect("no panic").expect("a clean end");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            let _ = thread.join();
        }
    }
}
