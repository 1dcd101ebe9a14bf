//! Replicas of chat-svc as processes of their own, which a test may kill, over one PostgreSQL and one Redis.

use std::{
    ops::Deref,
    process::{Child, Command, Stdio},
};

use irongate_test_servers::{Redis, free_port};

use super::{Backend, Stage, User};

pub(crate) struct Cluster {
    pub(crate) redis: Redis,
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

impl Cluster {
    pub(crate) async fn start(replicas: usize) -> Self {
        let stage = Stage::set(Backend::Postgres).await;
        let redis = tokio::task::spawn_blocking(Redis::start).await.expect("Redis");
        let replicas = (0..replicas)
            .map(|_| {
                let port = free_port();
                Replica { base: format!("http://127.0.0.1:{port}"), port, process: None }
            })
            .collect();
        let mut cluster = Self { redis, replicas, stage };
        for number in 0..cluster.replicas.len() {
            cluster.start_replica(number);
        }
        for replica in &cluster.replicas {
            cluster.stage.ready(&replica.base).await;
        }
        cluster
    }

    pub(crate) fn start_replica(&mut self, number: usize) {
        let (database, redis) = (self.stage.database(), self.redis.url());
        let replica = &mut self.replicas[number];
        let process = Command::new(env!("CARGO_BIN_EXE_irongate-chat-svc"))
            .env("DATABASE_URL", database)
            .env("REDIS_URL", redis)
            .env("GATEWAY_URL", "https://chat.test")
            .env("IRONGATE_CHAT__LISTEN", format!("127.0.0.1:{}", replica.port))
            .env("IRONGATE_CHAT__METRICS", "off")
            .env("IRONGATE_CHAT__WORKERS", "1")
            .env("IRONGATE_CHAT__WRITE_LANES", "2")
            .env("IRONGATE_CHAT__LIMITS__FRAMES_PER_SECOND", "10000")
            .env("IRONGATE_CHAT__LIMITS__MESSAGES_PER_SECOND", "10000")
            .env("IRONGATE_CHAT__LIMITS__SOCKETS_PER_USER", "1000")
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
        let process = self.replicas[number].process.as_ref().expect("it runs");
        let sent = Command::new("kill").args(["-s", "TERM", &process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for a replica that was told to stop.
    pub(crate) async fn ended(&mut self, number: usize) -> i32 {
        let mut process = self.replicas[number].process.take().expect("it ran");
        let ended = tokio::task::spawn_blocking(move || process.wait());
        let ended = tokio::time::timeout(std::time::Duration::from_secs(30), ended).await;
        ended.expect("it ends in time").expect("joined").expect("waited").code().expect("an exit code")
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
