//! `just bench chat`: chat-svc beside Socket.IO and Django Channels, doing the same work on as many processors.
//!
//! | module | what it decides |
//! |---|---|
//! | `entrant` | who is measured, and how each is installed and started |
//! | `dialect` | how one speaks to each |
//! | `crowd` | the load generator: its sockets, its loops, its latencies |
//! | `report` | the tables, and the file in `bench/results/` |
//!
//! The measured server has the processors of `--servers-on`, everything else (generator, PostgreSQL, Redis) those of
//! `--load-on`. The generator is this very process: one thread.

mod crowd;
mod dialect;
mod entrant;
mod frames;
pub(crate) mod people;
mod report;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use crowd::Crowd;
use entrant::{ENTRANTS, Entrant, Started, Surroundings};
use report::{Figures, Idle, Load, Result, Steady};

use crate::{
    load::own::percentile_ms,
    machine,
    process::{Processors, busy_time, pin_this_process},
    servers::{Postgres, Redis},
    stage::{Ports, allow_many_connections},
    tools::Tools,
};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// One room of 1,000 members, eight of whom send.
    Room,
    /// 100 rooms of 10 members, one of whom sends.
    Rooms,
    /// 64 rooms of one member each: messages, and hardly a delivery.
    Durable,
    /// 1,000 and 5,000 sockets that follow a room in which nothing happens.
    Idle,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Who is compared; absent: all. `irongate`, `irongate-sqlite`, `socketio`, `channels`, `socketio-stored`,
    /// `channels-stored`.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// What is measured; absent: all.
    #[arg(long, value_delimiter = ',')]
    work: Vec<Work>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Messages per second at which latency is measured, the same for all; absent: half of what each can take.
    #[arg(long)]
    rate: Option<f64>,
    /// Processors of the server that is measured, as taskset writes them.
    #[arg(long, default_value = "0")]
    servers_on: Processors,
    /// Processors of the load generator, PostgreSQL and Redis.
    #[arg(long, default_value = "1")]
    load_on: Processors,
    /// The first of the ports that are taken.
    #[arg(long, default_value_t = 18_700)]
    first_port: u16,
    /// The profile with which chat-svc is built.
    #[arg(long, default_value = "release")]
    profile: String,
    /// Build nothing: take chat-svc as it was built last, from beside this program.
    #[arg(long)]
    as_built: bool,
    /// Where the results go.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Only try whether everything works: chat-svc as it was built last, small rooms, half a second each. No result is
    /// kept.
    #[arg(long)]
    smoke: bool,
}

/// How many sit where, and for how long.
struct Scale {
    room: usize,
    rooms: usize,
    durable: usize,
    idle: &'static [usize],
    warm_up: Duration,
    time: Duration,
}

const FULL: Scale = Scale {
    room: 1000,
    rooms: 100,
    durable: 64,
    idle: &[1000, 5000],
    warm_up: Duration::from_secs(1),
    time: Duration::ZERO,
};

const SMOKE: Scale = Scale {
    room: 20,
    rooms: 4,
    durable: 4,
    idle: &[20, 40],
    warm_up: Duration::from_millis(100),
    time: Duration::from_millis(500),
};

#[expect(clippy::print_stdout, reason = "the results")]
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let entrants = entrants(args)?;
    let scale = if args.smoke { SMOKE } else { Scale { time: Duration::from_secs(args.seconds), ..FULL } };
    let works: Vec<Work> = if args.work.is_empty() {
        vec![Work::Room, Work::Rooms, Work::Durable, Work::Idle]
    } else {
        args.work.clone()
    };
    // What is missing is built and installed on all processors, before this process goes to its own.
    let tools = Tools::new((!args.smoke && !args.as_built).then(|| args.profile.clone()))?;
    allow_many_connections()?;
    let description = machine::description();
    let directory = tempfile::Builder::new().prefix("irongate-bench-").tempdir()?;
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let ports = Ports::from(args.first_port);
    tools.service("irongate-chat-svc")?;
    let postgres = Postgres::start(&tools, &args.load_on, directory.path(), ports.take()?)?;
    let redis = Redis::start(&tools, &args.load_on, directory.path(), ports.take()?)?;

    let mut results = report::Results::new(description, args);
    let mut failed = Vec::new();
    let mut pinned = false;
    for round in 0..args.rounds.max(1) {
        for entrant in &entrants {
            let around = Surroundings {
                tools: &tools,
                postgres: &postgres,
                redis: &redis,
                directory: directory.path(),
                servers_on: &args.servers_on,
                port: ports.take()?,
            };
            for work in works.iter().filter(|work| fits(entrant, **work)) {
                eprintln!("bench: round {}, {}, {work:?}", round + 1, entrant.name);
                let mut started = entrant.start(&around)?;
                if !pinned {
                    pin_this_process(&args.load_on)?;
                    pinned = true;
                }
                match measure(entrant, &mut started, *work, &scale, &around, args) {
                    Ok(figures) => results.push(Result { entrant: entrant.name, work: *work, figures }),
                    Err(why) => {
                        failed.push(format!(
                            "{} at {work:?}: {why:#}\n{}",
                            entrant.name,
                            started.running.last_words()
                        ));
                    }
                }
            }
        }
    }
    println!("{}", results.markdown());
    if !args.smoke {
        let path = results.write(&args.results)?;
        eprintln!("bench: results in {}", path.display());
    }
    if !failed.is_empty() {
        bail!("not everything could be measured:\n{}", failed.join("\n"));
    }
    Ok(())
}

fn entrants(args: &Args) -> anyhow::Result<Vec<&'static Entrant>> {
    if !args.peers.is_empty() {
        let named = |name: &String| {
            Entrant::named(name).with_context(|| {
                let all: Vec<_> = ENTRANTS.iter().map(|entrant| entrant.name).collect();
                format!("there is no peer `{name}`; there are {}", all.join(", "))
            })
        };
        return args.peers.iter().map(named).collect();
    }
    let ours = |entrant: &&Entrant| entrant.dialect == dialect::Dialect::Irongate;
    Ok(ENTRANTS.iter().filter(|entrant| !args.smoke || ours(entrant)).collect())
}

/// Who stores is there for the stored messages; who stores nothing has no line in them.
fn fits(entrant: &Entrant, work: Work) -> bool {
    match work {
        Work::Durable => entrant.stores(),
        Work::Room | Work::Rooms | Work::Idle => {
            entrant.dialect == dialect::Dialect::Irongate || !entrant.stores()
        }
    }
}

fn measure(
    entrant: &Entrant,
    started: &mut Started,
    work: Work,
    scale: &Scale,
    around: &Surroundings<'_>,
    args: &Args,
) -> anyhow::Result<Figures> {
    let (rooms, members, senders, window) = match work {
        Work::Room => (1, scale.room, 8, 8),
        Work::Rooms => (scale.rooms, 10, 1, 4),
        Work::Durable => (scale.durable, 1, 1, 32),
        Work::Idle => return idle(entrant, started, scale).map(Figures::Idle),
    };
    let seats = started.seats(rooms, members, senders)?;
    let mut crowd = Crowd::gather(entrant.dialect, started.address, &seats)?;

    let mut meter = Meter::new(started, around, args);
    let counted = crowd.run_full(window, scale.warm_up, scale.time, || meter.begin())?;
    let full = meter.end(counted);
    let lost = crowd.settle()?;
    let steady = if work == Work::Durable {
        None
    } else {
        let rate = args.rate.unwrap_or(full.messages_per_second / 2.0);
        let mut meter = Meter::new(started, around, args);
        let (counted, latencies) = crowd.run_steady(rate, scale.warm_up, scale.time, || meter.begin())?;
        let load = meter.end(counted);
        let lost = crowd.settle()?;
        Some(Steady {
            load,
            rate,
            lost,
            p50_ms: percentile_ms(&latencies, 50.0),
            p99_ms: percentile_ms(&latencies, 99.0),
        })
    };
    Ok(Figures::Load { full, lost, steady })
}

fn idle(entrant: &Entrant, started: &mut Started, scale: &Scale) -> anyhow::Result<Vec<Idle>> {
    let mut crowd = Crowd::gather(entrant.dialect, started.address, &started.seats(1, 1, 0)?)?;
    crowd.rest(scale.warm_up)?;
    let before = started.running.memory_kib();
    let mut all = Vec::new();
    for wanted in scale.idle {
        let more = wanted + 1 - crowd.len();
        let seats = started.seats(more.div_ceil(10), 10, 0)?;
        crowd.join(started.address, seats.get(..more).unwrap_or(&seats))?;
        crowd.rest(scale.warm_up * 2)?;
        let memory_kib = started.running.memory_kib();
        let kib = memory_kib.saturating_sub(before) as f64 / *wanted as f64;
        all.push(Idle { sockets: *wanted, memory_kib, kib_per_socket: kib });
    }
    Ok(all)
}

/// Processor time of the measured server, of its helpers, and of the processors.
struct Meter<'a> {
    started: &'a Started,
    around: &'a Surroundings<'a>,
    args: &'a Args,
    at: Reading,
}

#[derive(Clone, Copy, Default)]
struct Reading {
    server: Duration,
    helpers: Duration,
    servers_busy: Duration,
}

impl<'a> Meter<'a> {
    fn new(started: &'a Started, around: &'a Surroundings<'a>, args: &'a Args) -> Self {
        Self { started, around, args, at: Reading::default() }
    }

    fn read(&self) -> Reading {
        Reading {
            server: self.started.running.cpu_time(),
            helpers: self.around.postgres.running.cpu_time() + self.around.redis.running.cpu_time(),
            servers_busy: busy_time(&self.args.servers_on),
        }
    }

    fn begin(&mut self) {
        self.at = self.read();
    }

    fn end(&self, counted: crowd::Counted) -> Load {
        let now = self.read();
        let seconds = counted.time.as_secs_f64();
        let micros = |spent: Duration, count: u64| {
            if count == 0 { 0.0 } else { spent.as_secs_f64() * 1e6 / count as f64 }
        };
        let server = now.server.saturating_sub(self.at.server);
        let busy = now.servers_busy.saturating_sub(self.at.servers_busy);
        let processors = self.args.servers_on.count() as f64;
        Load {
            deliveries_per_second: counted.deliveries as f64 / seconds,
            messages_per_second: counted.messages as f64 / seconds,
            cpu_micros_per_delivery: micros(server, counted.deliveries),
            cpu_micros_per_message: micros(server, counted.messages),
            helpers_cpu_micros_per_message: micros(
                now.helpers.saturating_sub(self.at.helpers),
                counted.messages,
            ),
            server_busy: server.as_secs_f64() / seconds / processors,
            others_busy: busy.saturating_sub(server).as_secs_f64() / seconds / processors,
        }
    }
}
