//! The load generators. Each runs as a process of its own, pinned beside the backend, and ends with one
//! [`Outcome`].
//!
//! wrk is the cheapest closed loop for HTTP/1.1, h2load the one for HTTP/2, oha what many people measure with.
//! [`own`] does what none of them does: WebSockets, TLS handshakes told apart by resumption, idle connections, and
//! a fixed rate whose latencies count from the moment at which a request was due.

mod h2load;
mod oha;
pub(crate) mod own;
mod wrk;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::{
    process::{Processors, pinned},
    tools::Tools,
};

/// What a generator saw.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Requests (messages, handshakes) that were answered as they should be.
    pub(crate) requests: u64,
    /// Those that were not: refused, cut, or answered with another status.
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) p999_ms: Option<f64>,
    #[serde(default)]
    pub(crate) sessions: Option<Sessions>,
}

/// What became of the TLS sessions of clients that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Sessions {
    /// Connections of clients that had been there before.
    pub(crate) returned: u64,
    /// Those whose session was resumed.
    pub(crate) resumed: u64,
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.requests as f64 / self.seconds } else { 0.0 }
    }
}

/// A closed loop over HTTP: so many connections, each asking again as soon as it is answered.
#[derive(Clone, Debug)]
pub(crate) struct HttpLoad {
    pub(crate) url: String,
    pub(crate) connections: usize,
    /// Requests at a time on each connection; more than one only with HTTP/2.
    pub(crate) streams: usize,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// Sends POST requests with bodies of this size instead of GET.
    pub(crate) upload: Option<usize>,
    /// The status that counts as an answer.
    pub(crate) status: u16,
}

/// Which generator, with what.
#[derive(Clone, Debug)]
pub(crate) enum Generator {
    Wrk(HttpLoad),
    H2load(HttpLoad),
    Oha(HttpLoad),
    Own(own::Command),
}

/// Where and how long generators run.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) processors: &'a Processors,
    /// For what a generator writes on its way.
    pub(crate) directory: &'a Path,
}

impl Generator {
    /// Runs to the end.
    pub(crate) fn run(&self, place: &Place<'_>, time: Duration) -> anyhow::Result<Outcome> {
        match self {
            Self::Wrk(load) => wrk::run(place, load, time),
            Self::H2load(load) => h2load::run(place, load, time),
            Self::Oha(load) => oha::run(place, load, time),
            Self::Own(command) => own::run(place, command, time),
        }
    }
}

/// Runs a generator and gives what it printed.
fn output(place: &Place<'_>, program: &Path, arguments: &[String]) -> anyhow::Result<String> {
    let mut command: Command = pinned(place.processors, program);
    command.args(arguments);
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}{}",
            program.display(),
            output.status,
            text,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}

/// Whole seconds, for generators that know no others.
fn whole_seconds(time: Duration) -> String {
    time.as_secs().max(1).to_string()
}

fn found(path: Option<&PathBuf>, name: &str) -> anyhow::Result<PathBuf> {
    path.cloned().with_context(|| format!("{name} was not set up"))
}
