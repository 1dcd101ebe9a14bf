//! Starts and stops the services.

use std::{net::SocketAddr, thread::JoinHandle, time::Duration};

use diesel::{QueryableByName, RunQueryDsl as _};
use irongate_auth_svc as auth;
use irongate_shared::{
    clock::Clock,
    config::{Listen, ListenOrOff, Platform},
    db::{self, Db, DbError},
    service::Started,
};
use irongate_test_servers::{Database, Postgres, eventually, free_port};
use irongate_user_svc as user;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::gateway;

/// The database of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// What an installation is started with.
pub struct Setup {
    pub backend: Backend,
    pub redis: Option<String>,
    pub auth: auth::Settings,
    pub user: user::Settings,
}

impl Setup {
    /// Cheap password hashing, no metrics, everything else as in production.
    pub fn on(backend: Backend) -> Self {
        let auth = auth::Settings {
            metrics: ListenOrOff(None),
            workers: 1,
            bcrypt_cost: 4,
            hash_queue: 256,
            ..auth::Settings::default()
        };
        let user = user::Settings {
            metrics: ListenOrOff(None),
            workers: 1,
            bcrypt_cost: 4,
            hash_queue: 256,
            ..user::Settings::default()
        };
        Self { backend, redis: None, auth, user }
    }
}

/// A service of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Auth,
    User,
    /// Not there: the gateway keeps what it would be told ([`Installation::told_chat`]).
    Chat,
}

impl Service {
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::User => "user",
            Self::Chat => "chat",
        }
    }
}

/// auth-svc and user-svc over one database, and a small gateway through which they find each other.
pub struct Installation {
    pub clock: Clock,
    pub platform: Platform,
    pub client: reqwest::Client,
    running: Vec<Running>,
    gateway: gateway::Shared,
    gateway_thread: Option<(JoinHandle<()>, CancellationToken)>,
    // Dropped after the services have stopped.
    _database: Option<Database<'static>>,
    _data: TempDir,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

struct Running {
    service: Service,
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Installation {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(Setup::on(backend)).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        irongate_shared::install_crypto_provider();
        let data = tempfile::tempdir().expect("a folder for data");
        let database = (setup.backend == Backend::Postgres).then(|| Postgres::shared().database());
        let folder = data.path().display().to_string();
        let url = database.as_ref().map(|database| database.url().to_owned());
        let redis = setup.redis.unwrap_or_default();
        let port = free_port();
        let gateway_url = format!("http://127.0.0.1:{port}");
        let env = [
            ("GATEWAY_URL", gateway_url.as_str()),
            ("IRONGATE_DATA", folder.as_str()),
            ("DATABASE_URL", url.as_deref().unwrap_or_default()),
            ("REDIS_URL", redis.as_str()),
        ];
        let platform = Platform::from_env(&env).expect("settings that can be right");
        let gateway = gateway::Shared::default();
        let gateway_thread = Some(start_gateway(port, gateway.clone()));
        let mut app = Self {
            gateway,
            gateway_thread,
            clock: Clock::shifted(),
            platform,
            client: reqwest::Client::new(),
            running: Vec::new(),
            _database: database,
            _data: data,
        };
        app.add_auth(setup.auth).await;
        app.add_user(setup.user).await;
        app
    }

    /// Starts an auth-svc, beside those that run already.
    pub async fn add_auth(&mut self, mut settings: auth::Settings) {
        let clock = self.clock.clone();
        let address = ([127, 0, 0, 1], free_port()).into();
        settings.listen = Listen::Tcp(address);
        self.add(Service::Auth, address, settings, move |started| auth::run_at(started, clock)).await;
    }

    /// Starts a user-svc, beside those that run already.
    pub async fn add_user(&mut self, settings: user::Settings) {
        self.add_user_at(settings, self.clock.clone()).await;
    }

    /// The same, on a machine whose clock is another.
    pub async fn add_user_at(&mut self, mut settings: user::Settings, clock: Clock) {
        let address = ([127, 0, 0, 1], free_port()).into();
        settings.listen = Listen::Tcp(address);
        self.add(Service::User, address, settings, move |started| user::run_at(started, clock)).await;
    }

    async fn add<S, F>(
        &mut self,
        service: Service,
        address: SocketAddr,
        settings: S,
        run: impl FnOnce(Started<S>) -> F + Send + 'static,
    ) where
        S: Send + 'static,
        F: Future<Output = anyhow::Result<()>>,
    {
        let stop = CancellationToken::new();
        let started = Started { settings, platform: self.platform.clone(), shutdown: stop.clone() };
        let thread = std::thread::spawn(move || actix_web::rt::System::new().block_on(run(started)));
        self.gateway.lock().expect("no panic while held").serve(service, address);
        self.running.push(Running { service, address, stop, thread: Some(thread) });
        let health = format!("http://{address}/health");
        eventually(&format!("{service:?} is healthy"), Duration::from_secs(30), || async {
            self.client.get(&health).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// The gateway answers 503 for a service, as when it were down, until [`Installation::mend`].
    pub fn cut(&self, service: Service) {
        self.gateway.lock().expect("no panic while held").cut(service);
    }

    pub fn mend(&self, service: Service) {
        self.gateway.lock().expect("no panic while held").mend(service);
    }

    /// The events that chat-svc would have got.
    pub fn told_chat(&self) -> Vec<serde_json::Value> {
        self.gateway.lock().expect("no panic while held").told_chat()
    }

    /// What a query for one number gives, asked behind the services' backs.
    pub async fn number(&self, sql: &str) -> i64 {
        let (database, sql) = (db::Database::open(&self.platform.database, 1), sql.to_owned());
        let database = database.await.expect("the database is there");
        let read =
            move |db: &mut Db| Ok::<_, DbError>(diesel::sql_query(sql).get_result::<Number>(db)?.number);
        database.read(read).await.expect("a query that gives `number`")
    }

    /// Where the service answers that owns `path`; `replica` counts those that were started, from 0.
    pub fn url(&self, path: &str, replica: usize) -> String {
        let service = if path.starts_with("/auth") { Service::Auth } else { Service::User };
        let found = self.running.iter().filter(|running| running.service == service).nth(replica);
        format!("http://{}{path}", found.expect("so many run").address)
    }
}

fn start_gateway(port: u16, table: gateway::Shared) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            tokio::select! {
                () = stopped.cancelled() => {}
                ended = gateway::run(port, table) => ended.expect("the gateway runs"),
            }
        });
    });
    (thread, stop)
}

impl Drop for Installation {
    fn drop(&mut self) {
        for running in &self.running {
            running.stop.cancel();
        }
        if let Some((thread, stop)) = self.gateway_thread.take() {
            stop.cancel();
            let _ = thread.join();
        }
        for running in &mut self.running {
            let ended = running.thread.take().map(JoinHandle::join);
            if std::thread::panicking() {
                continue;
            }
            match ended {
                Some(Ok(Err(why))) => panic!("{:?} failed: {why:#}", running.service),
                Some(Err(_)) => panic!("{:?} panicked", running.service),
                Some(Ok(Ok(()))) | None => {}
            }
        }
    }
}
