//! Our own generator, for what wrk, h2load and oha do not do. It runs on one thread, as `irongate-bench load`.

pub(crate) mod client;
mod handshakes;
mod idle;
mod steady;
mod websocket;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use hdrhistogram::Histogram;

use super::{Outcome, Place, output};
pub(crate) use idle::Idle;

/// One kind of load. The same words stand on the command line of `irongate-bench load`.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// One request per connection, each with a full TLS handshake or a resumed session.
    Handshakes {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        path: String,
        /// How many clients return again and again, each with a session of its own.
        #[arg(long)]
        clients: usize,
        #[arg(long)]
        resume: bool,
    },
    /// Requests over kept TLS connections at a fixed rate.
    Steady {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        path: String,
        #[arg(long)]
        connections: usize,
        /// Requests per second.
        #[arg(long)]
        rate: f64,
    },
    /// WebSocket messages over TLS that come back.
    Websocket {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        path: String,
        #[arg(long)]
        connections: usize,
        /// Messages on their way at a time on each connection.
        #[arg(long)]
        window: usize,
        /// Bytes in a message.
        #[arg(long)]
        size: usize,
    },
    /// TLS connections that ask once and then keep still until standard input ends.
    Idle {
        #[arg(long)]
        address: SocketAddr,
        #[arg(long)]
        path: String,
        #[arg(long)]
        connections: usize,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// How long, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    time_ms: u64,
}

/// `irongate-bench load …`: prints an [`Outcome`] as JSON.
#[expect(clippy::print_stdout, reason = "the result, read by the bench")]
pub(crate) fn serve(args: &Args) -> anyhow::Result<()> {
    let time = Duration::from_millis(args.time_ms);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    let outcome = runtime.block_on(tasks.run_until(async {
        match args.command.clone() {
            Command::Handshakes { address, path, clients, resume } => {
                handshakes::run(address, &path, clients, resume, time).await
            }
            Command::Steady { address, path, connections, rate } => {
                steady::run(address, &path, connections, rate, time).await
            }
            Command::Websocket { address, path, connections, window, size } => {
                websocket::run(address, &path, connections, window, size, time).await
            }
            Command::Idle { address, path, connections } => idle::run(address, &path, connections).await,
        }
    }))?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// Runs `irongate-bench load` as a process of its own.
pub(super) fn run(place: &Place<'_>, command: &Command, time: Duration) -> anyhow::Result<Outcome> {
    let mut arguments = vec!["load".to_owned(), "--time-ms".to_owned(), time.as_millis().to_string()];
    arguments.extend(command.arguments());
    let printed = output(place, &place.tools.own, &arguments)?;
    serde_json::from_str(&printed).with_context(|| format!("the generator printed {printed}"))
}

impl Command {
    fn arguments(&self) -> Vec<String> {
        let (name, options): (&str, Vec<(&str, String)>) = match self {
            Self::Handshakes { address, path, clients, .. } => (
                "handshakes",
                vec![
                    ("address", address.to_string()),
                    ("path", path.clone()),
                    ("clients", clients.to_string()),
                ],
            ),
            Self::Steady { address, path, connections, rate } => (
                "steady",
                vec![
                    ("address", address.to_string()),
                    ("path", path.clone()),
                    ("connections", connections.to_string()),
                    ("rate", rate.to_string()),
                ],
            ),
            Self::Websocket { address, path, connections, window, size } => (
                "websocket",
                vec![
                    ("address", address.to_string()),
                    ("path", path.clone()),
                    ("connections", connections.to_string()),
                    ("window", window.to_string()),
                    ("size", size.to_string()),
                ],
            ),
            Self::Idle { address, path, connections } => (
                "idle",
                vec![
                    ("address", address.to_string()),
                    ("path", path.clone()),
                    ("connections", connections.to_string()),
                ],
            ),
        };
        let mut arguments = vec![name.to_owned()];
        arguments.extend(options.into_iter().map(|(name, value)| format!("--{name}={value}")));
        if matches!(self, Self::Handshakes { resume: true, .. }) {
            arguments.push("--resume".to_owned());
        }
        arguments
    }
}

/// Latencies in microseconds, up to a minute; what takes longer counts as a minute.
pub(crate) fn latencies() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// A percentile of latencies in microseconds; `None` when nothing was measured.
pub(crate) fn percentile_ms(latencies: &Histogram<u64>, percentile: f64) -> Option<f64> {
    (!latencies.is_empty()).then(|| latencies.value_at_percentile(percentile) as f64 / 1e3)
}

/// What the connections of one run count together.
#[derive(Debug)]
struct Tally {
    latencies: Histogram<u64>,
    errors: u64,
    returned: u64,
    resumed: u64,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { latencies: latencies()?, errors: 0, returned: 0, resumed: 0 })
    }

    fn record(&mut self, latency: Duration) {
        self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    fn outcome(&self, time: Duration) -> Outcome {
        Outcome {
            requests: self.latencies.len(),
            errors: self.errors,
            seconds: time.as_secs_f64(),
            p50_ms: percentile_ms(&self.latencies, 50.0),
            p99_ms: percentile_ms(&self.latencies, 99.0),
            p999_ms: percentile_ms(&self.latencies, 99.9),
            sessions: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_is_asked_of_the_process_is_what_it_understands() {
        let address = "127.0.0.1:443".parse().unwrap();
        let path = "/x".to_owned();
        let commands = [
            Command::Handshakes { address, path: path.clone(), clients: 4, resume: true },
            Command::Steady { address, path: path.clone(), connections: 2, rate: 12.5 },
            Command::Websocket { address, path: path.clone(), connections: 1, window: 2, size: 3 },
            Command::Idle { address, path, connections: 7 },
        ];
        for command in commands {
            let arguments = ["load".to_owned()].into_iter().chain(command.arguments());

            let understood = Program::try_parse_from(arguments).unwrap().args.command;

            assert_eq!(format!("{understood:?}"), format!("{command:?}"));
        }
    }
}
