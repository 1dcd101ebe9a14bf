//! Replicas of chat-svc as processes of their own, which a test may kill, over one PostgreSQL and one Redis.

use std::{
    ops::Deref,
    process::{Child, Command, Stdio},
};

use irongate_test_servers::{Redis, free_port};

use super::{Backend, Stage, User};

pub(crate) struct Cluster {
    pub(crate) redis: Redis,
    /// What replicas are told of it, or of another.
    redis_url: Option<String>,
    /// Settings of the replicas besides.
    limits: &'static [(&'static str, &'static str)],
    pub(crate) replicas: Vec<Replica>,
    stage: Stage,
}

/// One process; it keeps its address when it is started again.
pub(crate) struct Replica {
    pub(crate) base: String,
    port: u16,
    process: Option<Child>,
}

impl Deref for Cluster {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

/// Tests are in a hurry.
const GENEROUS: &[(&str, &str)] = &[
    ("IRONGATE_CHAT__LIMITS__FRAMES_PER_SECOND", "10000"),
    ("IRONGATE_CHAT__LIMITS__MESSAGES_PER_SECOND", "10000"),
    ("IRONGATE_CHAT__LIMITS__SOCKETS_PER_USER", "1000"),
];

fn own(redis: &Redis) -> Option<String> {
    Some(redis.url())
}

impl Cluster {
    pub(crate) async fn start(replicas: usize) -> Self {
        Self::start_over(Stage::set(Backend::Postgres).await, replicas, own, GENEROUS).await
    }

    /// With the limits that users meet.
    pub(crate) async fn start_as_shipped(replicas: usize) -> Self {
        Self::start_over(Stage::set(Backend::Postgres).await, replicas, own, &[]).await
    }

    /// Over a PostgreSQL of its own, which a test may restart.
    pub(crate) async fn start_alone(replicas: usize) -> Self {
        Self::start_over(Stage::set(Backend::OwnPostgres).await, replicas, own, GENEROUS).await
    }

    /// One process over SQLite, without Redis.
    pub(crate) async fn start_on_sqlite() -> Self {
        Self::start_over(Stage::set(Backend::Sqlite).await, 1, |_| None, GENEROUS).await
    }

    /// Over somebody else's Redis.
    pub(crate) async fn start_on_redis(replicas: usize, url: &str) -> Self {
        let stage = Stage::set(Backend::Postgres).await;
        Self::start_over(stage, replicas, |_| Some(url.to_owned()), GENEROUS).await
    }

    async fn start_over(
        stage: Stage,
        replicas: usize,
        redis_url: impl FnOnce(&Redis) -> Option<String>,
        limits: &'static [(&'static str, &'static str)],
    ) -> Self {
        let redis = tokio::task::spawn_blocking(Redis::start).await.expect("Redis");
        let replicas = (0..replicas)
            .map(|_| {
                let port = free_port();
                Replica { base: format!("http://127.0.0.1:{port}"), port, process: None }
            })
            .collect();
        let mut cluster = Self { redis_url: redis_url(&redis), redis, limits, replicas, stage };
        for number in 0..cluster.replicas.len() {
            cluster.start_replica(number);
        }
        for replica in &cluster.replicas {
            cluster.stage.ready(&replica.base).await;
        }
        cluster
    }

    pub(crate) fn start_replica(&mut self, number: usize) {
        let database = self.stage.database();
        let redis = self.redis_url.as_ref().map(|url| ("REDIS_URL", url));
        let replica = &mut self.replicas[number];
        let process = Command::new(env!("CARGO_BIN_EXE_irongate-chat-svc"))
            .env("DATABASE_URL", database)
            .envs(redis)
            .env("IRONGATE_DATA", self.stage.data.path())
            .env("GATEWAY_URL", "https://chat.test")
            .env("IRONGATE_CHAT__LISTEN", format!("127.0.0.1:{}", replica.port))
            .env("IRONGATE_CHAT__METRICS", "off")
            .env("IRONGATE_CHAT__WORKERS", "1")
            .env("IRONGATE_CHAT__WRITE_LANES", "2")
            .envs(self.limits.iter().copied())
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .expect("the replica starts");
        replica.process = Some(process);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(mut process) = self.replicas[number].process.take() {
            process.kill().expect("it was running");
            process.wait().expect("it ends");
        }
    }

    /// SIGTERM; the replica goes on until it has said goodbye.
    pub(crate) fn terminate(&self, number: usize) {
        self.signal(number, "TERM");
    }

    pub(crate) fn signal(&self, number: usize, name: &str) {
        let process = self.replicas[number].process.as_ref().expect("it runs");
        let sent = Command::new("kill").args(["-s", name, &process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Stops PostgreSQL, and starts it again over the same data.
    pub(crate) async fn restart_database(&self) {
        let server = self.stage.own_postgres();
        tokio::task::spawn_blocking(|| {
            server.stop();
            server.start_again();
        })
        .await
        .expect("the database comes back");
    }

    /// Waits for a replica that was told to stop.
    pub(crate) async fn ended(&mut self, number: usize) -> i32 {
        let mut process = self.replicas[number].process.take().expect("it ran");
        let ended = tokio::task::spawn_blocking(move || process.wait());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), ended).await;
        ended.expect("it ends in time").expect("joined").expect("waited").code().expect("an exit code")
    }

    /// Bytes that a replica has in memory (Linux).
    pub(crate) fn memory(&self, number: usize) -> usize {
        let process = self.replicas[number].process.as_ref().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("/proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    }

    pub(crate) async fn ready(&self, number: usize) {
        self.stage.wait_for(&self.replicas[number].base, "/health", |status| status == 200).await;
    }

    pub(crate) fn user(&self, replica: usize, name: &str) -> User {
        self.stage.user(&self.replicas[replica].base, name)
    }

    /// Waits until `/health` of a replica says so of Redis.
    pub(crate) async fn redis_is(&self, replica: usize, wanted: &str) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let answer = self.stage.http.get(format!("{}/health", self.replicas[replica].base)).send().await;
            let health: serde_json::Value =
                serde_json::from_str(&answer.expect("an answer").text().await.expect("a body"))
                    .expect("JSON");
            if health["checks"]["redis"]["status"] == wanted {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "Redis is not {wanted}: {health}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in 0..self.replicas.len() {
            self.kill(number);
        }
    }
}
