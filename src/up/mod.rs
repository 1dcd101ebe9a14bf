//! `irongate up`: the four programs as child processes, from start to clean stop.
//!
//! | file | what it decides |
//! |---|---|
//! | [`plan`] | where each program listens, and what it is told by environment |
//! | [`instance`] | that one data directory has one system; how `down` finds it |
//! | [`ports`] | whether every port is free, and who has it if not |
//! | [`child`] | when a program is started again, and how it is stopped |
//! | [`parent`] | that no program outlives its supervisor |
//! | [`log`] | what a line of output looks like |
//! | [`readiness`] | whether the system serves, and what is missing |
//! | [`summary`] | what the person reads when it does |
//!
//! Every program is this same executable again (`irongate gateway`, …) in a process group of its own, so that
//! Ctrl-C reaches the supervisor alone and it can stop them in order: first the gateway, which finishes what it
//! has with the services still there, then the services.

mod child;
mod instance;
mod log;
mod parent;
mod plan;
mod ports;
mod readiness;
mod summary;

use std::{io::IsTerminal as _, pin::pin, process::ExitCode};

use anyhow::Context as _;
use irongate_shared::config::ProcessEnv;
use tokio::signal::unix::{SignalKind, signal};

use self::{child::Fleet, instance::Instance, log::Log, plan::Plan};
use crate::invocation::{complain, say};

pub(crate) use parent::end_with_the_supervisor;

/// Settings that cannot be right; the same code that the programs themselves use.
const MISCONFIGURED: u8 = 2;

/// Starts everything and returns when everything has ended.
pub(crate) fn up() -> ExitCode {
    let plan = match Plan::from_env(&ProcessEnv, std::io::stdout().is_terminal()) {
        Ok(plan) => plan,
        Err(mistakes) => {
            complain(&mistakes.to_string());
            return ExitCode::from(MISCONFIGURED);
        }
    };
    match supervise(&plan) {
        Ok(code) => code,
        Err(why) => {
            complain(&format!("{why:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Stops the system that runs over the data directory, and waits for its end.
pub(crate) fn down() -> ExitCode {
    let data = match irongate_shared::config::Platform::from_env(&ProcessEnv) {
        Ok(platform) => platform.data,
        Err(mistakes) => {
            complain(&mistakes.to_string());
            return ExitCode::from(MISCONFIGURED);
        }
    };
    match instance::stop(&data) {
        Ok(instance::Stopped::Now { pid }) => say(&format!("Stopped (process {pid}).")),
        Ok(instance::Stopped::Before) => say(&format!("Nothing is running over {}.", data.display())),
        Err(why) => {
            complain(&format!("{why:#}"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn supervise(plan: &Plan) -> anyhow::Result<ExitCode> {
    let _instance = Instance::claim(&plan.data)?;
    ports::require_free(&plan.addresses)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")?;
    runtime.block_on(async {
        let log = Log::to_stdout();
        let mut stop = StopSignals::listen().context("listen for signals")?;
        let mut fleet = Fleet::start(plan, log)?;
        let announcement = tokio::spawn(readiness::announce(plan.clone(), log));

        let ended = tokio::select! {
            () = stop.next() => {
                log.say("stopping; once more to stop at once");
                ExitCode::SUCCESS
            }
            program = fleet.misconfigured() => {
                log.complain(&format!("{program} refuses its settings (above); stopping the others"));
                ExitCode::from(MISCONFIGURED)
            }
        };

        announcement.abort();
        let hurry = fleet.hurry();
        let mut stopped = pin!(fleet.stop_in_order());
        tokio::select! {
            () = &mut stopped => {}
            () = stop.next() => {
                hurry.cancel();
                stopped.await;
            }
        }
        log.say("stopped");
        Ok(ended)
    })
}

/// The three ways in which a person or an operating system asks to stop.
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // The terminal was closed.
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
