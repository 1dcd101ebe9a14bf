//! chat-svc, started for one test.

use std::{path::PathBuf, sync::Once, thread::JoinHandle, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use diesel::prelude::*;
use irongate_chat_svc::Settings;
use irongate_shared::{
    clock::Clock,
    config::{DatabaseUrl, Listen, ListenOrOff, LogFormat, Platform},
    db::Db,
    id::{SessionId, UserId},
    service::Started,
    token::revocation::{self, Revocation},
};
use irongate_test_servers::{Database, Postgres, free_port};
use tokio_util::sync::CancellationToken;

use super::User;

/// What the service stores in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

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

/// Where the database is; dropping it removes it.
enum Storage {
    Sqlite(tempfile::TempDir),
    Postgres(Database<'static>),
}

pub struct App {
    pub base: String,
    pub metrics: String,
    pub http: reqwest::Client,
    storage: Storage,
    signer: Signer,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// The key that the tests' tokens are signed with.
struct Signer {
    key: jsonwebtoken::EncodingKey,
    public: Vec<u8>,
}

impl App {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    pub async fn start_with(backend: Backend, adjust: impl FnOnce(&mut Settings)) -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(irongate_shared::install_crypto_provider);
        let storage = match backend {
            Backend::Sqlite => Storage::Sqlite(tempfile::tempdir().expect("a directory")),
            Backend::Postgres => {
                let database = tokio::task::spawn_blocking(|| Postgres::shared().database()).await;
                Storage::Postgres(database.expect("a database"))
            }
        };
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
        adjust(&mut settings);
        let mut app = Self {
            base: format!("http://127.0.0.1:{port}"),
            metrics: format!("http://127.0.0.1:{metrics_port}/metrics"),
            http: reqwest::Client::new(),
            storage,
            signer: Signer::new(),
            shutdown: CancellationToken::new(),
            thread: None,
        };
        app.run(settings);
        app.healthy().await;
        app.install_key();
        app.trusts_the_key().await;
        app
    }

    /// A verifier reads keys a few times a second.
    async fn trusts_the_key(&self) {
        let probe = self.user("probe");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while probe.get("/chat/rooms").await.status == 401 {
            assert!(std::time::Instant::now() < deadline, "the key is not trusted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn run(&mut self, settings: Settings) {
        let platform = self.platform();
        let shutdown = self.shutdown.clone();
        self.thread = Some(std::thread::spawn(move || {
            let started = Started { settings, platform, shutdown };
            actix_web::rt::System::new().block_on(irongate_chat_svc::run(started))
        }));
    }

    fn platform(&self) -> Platform {
        Platform {
            data: PathBuf::new(),
            secrets: PathBuf::new(),
            database: self.database_url(),
            redis: None,
            gateway: "https://chat.test".parse().expect("a URL"),
            log: LogFormat::Text,
        }
    }

    fn database_url(&self) -> DatabaseUrl {
        match &self.storage {
            Storage::Sqlite(directory) => DatabaseUrl::Sqlite(directory.path().join("chat.db")),
            Storage::Postgres(database) => database.url().parse().expect("a database URL"),
        }
    }

    async fn healthy(&self) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.http.get(format!("{}/health", self.base)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "chat-svc did not become healthy");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn db(&self) -> Db {
        Db::open(&self.database_url()).expect("the database is there")
    }

    fn install_key(&self) {
        diesel::table! {
            signing_keys (kid) {
                kid -> Text,
                public_key -> Binary,
                private_key -> Binary,
                created_at_ms -> BigInt,
                expires_at_ms -> BigInt,
            }
        }
        diesel::insert_into(signing_keys::table)
            .values((
                signing_keys::kid.eq("test"),
                signing_keys::public_key.eq(&self.signer.public),
                signing_keys::private_key.eq(Vec::<u8>::new()),
                signing_keys::created_at_ms.eq(0i64),
                signing_keys::expires_at_ms.eq(i64::MAX),
            ))
            .execute(&mut self.db())
            .expect("the key is stored");
    }

    /// A new user, known to the service once they do something.
    pub fn user(&self, name: &str) -> User<'_> {
        self.user_with_life(name, Duration::from_secs(600))
    }

    /// A user whose token runs out after `life`.
    pub fn user_with_life(&self, name: &str, life: Duration) -> User<'_> {
        let (id, session) = (UserId::new(), SessionId::new());
        User {
            app: self,
            id,
            session,
            token: self.token(id, session, name, name, life),
        }
    }

    /// A token as auth-svc signs them.
    pub fn token(&self, id: UserId, session: SessionId, name: &str, display: &str, life: Duration) -> String {
        let now = Clock::system().now();
        let claims = serde_json::json!({
            "iss": "https://chat.test",
            "aud": "irongate",
            "sub": id,
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": (now + life).as_secs(),
            "jti": irongate_shared::id::TokenId::new(),
            "sid": session,
            "scope": "",
            "roles": ["user"],
            "preferred_username": name,
            "name": display,
        });
        self.signer.sign(&claims)
    }

    /// What auth-svc does at "sign out".
    pub fn revoke(&self, what: Revocation) {
        let now = Clock::system().now();
        self.db()
            .write(|db| revocation::revoke(db, what, now, now + Duration::from_secs(600)))
            .expect("the revocation is stored");
    }

    pub fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Stops the service as SIGTERM does; it must end cleanly and soon.
    pub async fn stop(mut self) {
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

impl Signer {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("the key");
        Self {
            key: jsonwebtoken::EncodingKey::from_ed_der(document.as_ref()),
            public: pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, claims: &serde_json::Value) -> String {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = Some("test".to_owned());
        header.typ = Some("at+jwt".to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).expect("a token")
    }
}
