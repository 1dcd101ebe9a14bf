//! Constant traffic over several connections, both protocols, that counts what failed.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::{Gateway, until};

/// Connections that oha keeps open to each path.
const CONNECTIONS: &str = "8";

pub(crate) enum Load {
    Own(Own),
    Oha(Vec<Child>),
}

/// Clients of our own; each sends its next request when it has read the last answer.
pub(crate) struct Own {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    tasks: JoinSet<Vec<String>>,
}

impl Load {
    pub(crate) fn on(gateway: &Gateway) -> Self {
        Self::at(gateway, &["/api"])
    }

    pub(crate) fn at(gateway: &Gateway, paths: &[&str]) -> Self {
        match env::var("IRONGATE_OHA") {
            Ok(program) => Self::Oha(
                paths
                    .iter()
                    .flat_map(|path| {
                        // Over HTTP/2 oha counts as failed what it could not even send, when a connection was announced to
                        // end (GOAWAY); our own clients do that part.
                        [&["-c", CONNECTIONS][..], &["-c", "2", "--disable-keepalive"]]
                            .map(|more| oha(&program, gateway, path, more))
                    })
                    .collect(),
            ),
            Err(_) => Self::Own(Own::at(gateway, paths)),
        }
    }

    pub(crate) async fn at_least(&self, more: usize) {
        match self {
            Self::Own(own) => {
                let goal = own.done.load(SeqCst) + more;
                until("more requests", || async { own.done.load(SeqCst) >= goal }).await;
            }
            // It tells nothing before its end.
            Self::Oha(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }

    pub(crate) async fn assert_nothing_lost(self) {
        match self {
            Self::Own(own) => own.assert_nothing_lost().await,
            Self::Oha(programs) => {
                for program in programs {
                    assert_nothing_lost(program);
                }
            }
        }
    }
}

impl Own {
    fn at(gateway: &Gateway, paths: &[&str]) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for at in 0..6 {
            let builder = gateway.client_builder();
            let client = if at % 2 == 0 { builder.http1_only().build() } else { builder.build() }.unwrap();
            let (url, stop, done) = (gateway.url(paths[at / 2 % paths.len()]), stop.clone(), done.clone());
            tasks.spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(SeqCst) {
                    match client.get(&url).send().await {
                        Ok(answer) if answer.status() == StatusCode::OK => {
                            // The body counts too: an answer cut short is a request lost.
                            if let Err(error) = answer.bytes().await {
                                failures.push(format!("{error:?}"));
                            }
                        }
                        Ok(answer) => failures.push(answer.status().to_string()),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                    done.fetch_add(1, SeqCst);
                }
                failures
            });
        }
        Self { stop, done, tasks }
    }

    async fn assert_nothing_lost(mut self) {
        self.stop.store(true, SeqCst);
        let mut failures = Vec::new();
        while let Some(task) = self.tasks.join_next().await {
            failures.extend(task.unwrap());
        }
        let done = self.done.load(SeqCst);
        assert!(failures.is_empty(), "{} of {done} failed: {:?}", failures.len(), failures.first());
        assert!(done > 100, "too little traffic to mean anything: {done}");
    }
}

/// oha, until it is interrupted.
fn oha(program: &str, gateway: &Gateway, path: &str, more: &[&str]) -> Child {
    Command::new(program)
        .args([
            "--no-tui",
            "--output-format",
            "json",
            "-z",
            "1h",
            "-w",
            "--connect-timeout",
            "60s",
            "--ipv4",
            "--cacert",
        ])
        .arg(gateway.path("data/tls/authority.pem"))
        .args(more)
        .arg(gateway.url(path))
        .stdout(Stdio::piped())
        .spawn()
        .expect("oha")
}

fn assert_nothing_lost(program: Child) {
    let told = Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap();
    assert!(told.success());
    let output = program.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("oha's report");
    let statuses = report["statusCodeDistribution"].as_object().unwrap();
    let answered = statuses.get("200").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let errors = &report["errorDistribution"];
    eprintln!("oha: {answered} answered with 200, {statuses:?}, errors {errors}");
    assert!(statuses.len() == 1 && errors == &serde_json::json!({}), "{statuses:?} {errors}");
    assert!(answered > 100, "too little traffic to mean anything: {answered}");
}
