//! The programs as child processes: started, started again, stopped.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    MISCONFIGURED,
    log::{Colour, Log},
    plan::{Plan, SERVICES},
};

/// How long a program may finish what it has after SIGTERM; then SIGKILL. Above the gateway's own drain time.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// All programs, running.
pub(super) struct Fleet {
    gateway: Member,
    services: Vec<Member>,
    misconfigured: mpsc::Receiver<&'static str>,
    hurry: CancellationToken,
}

struct Member {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Fleet {
    /// Starts all of them at once: the gateway answers 503 for a service until its health is seen.
    pub(super) fn start(plan: &Plan, log: Log) -> anyhow::Result<Self> {
        let executable = std::env::current_exe().context("find this program's own file")?;
        let (report, misconfigured) = mpsc::channel(1 + SERVICES.len());
        let hurry = CancellationToken::new();
        let start = |name: &'static str, colour| {
            let stop = CancellationToken::new();
            let supervised = Supervised {
                name,
                colour: Colour(colour),
                executable: executable.clone(),
                environment: plan.environment.clone(),
                log,
                stop: stop.clone(),
                hurry: hurry.clone(),
                misconfigured: report.clone(),
            };
            Member { stop, task: tokio::spawn(supervised.keep_running()) }
        };
        let gateway = start("gateway", 36);
        let services =
            SERVICES.iter().zip([32, 35, 34]).map(|(service, colour)| start(service.program, colour));
        Ok(Self { gateway, services: services.collect(), misconfigured, hurry })
    }

    /// The first program that refuses its settings at its first start. Cancel safe.
    pub(super) async fn misconfigured(&mut self) -> &'static str {
        match self.misconfigured.recv().await {
            Some(name) => name,
            // Every sender is gone: every program has been stopped.
            None => std::future::pending().await,
        }
    }

    /// Cancel it to have what still runs killed.
    pub(super) fn hurry(&self) -> CancellationToken {
        self.hurry.clone()
    }

    /// The gateway first, so that what it has in flight still finds its services; then these, all at once.
    pub(super) async fn stop_in_order(self) {
        self.gateway.stop.cancel();
        // An error is a panic in the task, whose child dies with it (`kill_on_drop`).
        let _ = self.gateway.task.await;
        for service in &self.services {
            service.stop.cancel();
        }
        for service in self.services {
            let _ = service.task.await;
        }
    }
}

/// One program and what it takes to keep it running.
struct Supervised {
    name: &'static str,
    colour: Colour,
    executable: PathBuf,
    environment: Vec<(&'static str, String)>,
    log: Log,
    stop: CancellationToken,
    hurry: CancellationToken,
    misconfigured: mpsc::Sender<&'static str>,
}

impl Supervised {
    async fn keep_running(self) {
        let mut backoff = Backoff::default();
        let mut first = true;
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let ended = match self.run_once().await {
                Ok(Some(status)) if first && status.code() == Some(i32::from(MISCONFIGURED)) => {
                    // The channel has room for one report of each program.
                    let _ = self.misconfigured.try_send(self.name);
                    return;
                }
                Ok(Some(status)) => status.to_string(),
                Ok(None) => return,
                Err(why) => format!("{why:#}"),
            };
            first = false;
            let pause = backoff.after(started.elapsed());
            self.log.complain(&format!("{} ended ({ended}); starting it again in {pause:?}", self.name));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// How it ended by itself, or `None` when it was stopped.
    async fn run_once(&self) -> anyhow::Result<Option<ExitStatus>> {
        let mut child = Command::new(&self.executable)
            .args(["--supervised", self.name])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // Held open in `child` until the end: see `parent`.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot be started")?;
        // Taken out, because `Child::wait` closes it.
        let _tie = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let output = async {
            tokio::join!(
                self.log.pass_on(self.name, self.colour, stdout),
                self.log.pass_on(self.name, self.colour, stderr),
            )
        };
        let life = async {
            tokio::select! {
                status = child.wait() => return status.map(Some),
                () = self.stop.cancelled() => {}
            }
            self.end(&mut child).await.map(|()| None)
        };
        // The output ends with the process, so both are waited for: no last words are lost.
        let (_, ended) = tokio::join!(output, life);
        ended.context("cannot be waited for")
    }

    async fn end(&self, child: &mut Child) -> std::io::Result<()> {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // An error means that it has just ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let ended = tokio::select! {
            ended = timeout(STOP_LIMIT, child.wait()) => ended.is_ok(),
            () = self.hurry.cancelled() => false,
        };
        if !ended {
            self.log.complain(&format!("{} has not stopped; killing it", self.name));
            child.kill().await?;
        }
        Ok(())
    }
}

/// The pause before the next start: short at first, because most ends are one of a kind, yet long enough for the gateway
/// to notice and tell; longer while they repeat.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(30);
    /// A program that ran this long was fine: its next end is a first one again.
    const STABLE: Duration = Duration::from_secs(20);

    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= Self::STABLE {
            self.failures = 0;
        }
        let pause = Self::FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_ends_repeat_and_start_over_after_a_stable_run() {
        let mut backoff = Backoff::default();
        let crash = Duration::from_millis(10);

        let pauses: Vec<u128> = (0..9).map(|_| backoff.after(crash).as_millis()).collect();

        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff.after(Backoff::STABLE), Backoff::FIRST);
    }
}
