//! What more of something costs: connections, routes, servers of an upstream. Each point is measured like a work of
//! [`crate::rounds`]: peers in turn, several rounds, medians; what comes out are plots and the numbers in them.

mod plot;

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use irongate_shared::clock::Clock;

use self::plot::{Line, Panel};
use crate::{
    load::{Generator, HttpLoad, Outcome, Place},
    machine,
    peer::{Peer, Setting, Shape, Site},
    process::Processors,
    stage::{Stage, Upstream},
    statistics::median,
    tools::Tools,
};

/// How much is asked of routes and servers, where connections are not the subject.
const CONNECTIONS: usize = 64;
/// What is allowed for opening a connection, at either side.
const HANDSHAKE: Duration = Duration::from_micros(1500);
const WARM_UP: Duration = Duration::from_secs(1);
/// Those that can be given a thousand routes by a line each.
const PEERS: [&str; 2] = ["irongate", "nginx"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What grows; absent: everything.
    #[arg(long, value_delimiter = ',')]
    axis: Vec<Axis>,
    /// How often each point is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Processors of the peer that is measured, as taskset writes them.
    #[arg(long, default_value = "0")]
    peers_on: Processors,
    /// Processors of the load generator and the service.
    #[arg(long, default_value = "1")]
    load_on: Processors,
    /// The first of the ports that are taken.
    #[arg(long, default_value_t = 18_600)]
    first_port: u16,
    /// The profile with which the gateway is built.
    #[arg(long, default_value = "release")]
    gateway_profile: String,
    /// Where the numbers go.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Where the plots go.
    #[arg(long, default_value = "docs/plots")]
    plots: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Axis {
    Connections,
    Routes,
    Servers,
}

impl Axis {
    const ALL: [Self; 3] = [Self::Connections, Self::Routes, Self::Servers];

    fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Routes => "routes",
            Self::Servers => "servers",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Connections => {
                "HTTPS connections, each asking for a file of 1 KiB in a closed loop; opened within the measurement"
            }
            Self::Routes => "routes; 200 bytes of JSON, proxied, over HTTPS",
            Self::Servers => "servers in the upstream; 200 bytes of JSON, proxied, over HTTPS",
        }
    }

    fn points(self) -> &'static [usize] {
        match self {
            Self::Connections => &[1, 10, 100, 1000, 10_000],
            Self::Routes => &[1, 10, 100, 1000],
            Self::Servers => &[1, 4, 16, 64],
        }
    }

    /// How long a measurement of `time` takes: connections are opened within it, and ten thousand TLS handshakes take
    /// some seconds.
    fn time(self, size: usize, time: Duration) -> Duration {
        match self {
            Self::Connections => time + HANDSHAKE * u32::try_from(size).unwrap_or(u32::MAX),
            Self::Routes | Self::Servers => time,
        }
    }

    fn shape(self, size: usize, peer: &str) -> Shape {
        let mut shape = Shape::default();
        match self {
            Self::Connections if peer == "irongate" => {
                // One address is many clients here.
                shape.more =
                    "[limits]\nconnections_per_address = 20000\nhandshakes_per_address = 100000\n".to_owned();
            }
            Self::Connections => {}
            Self::Servers => shape.servers = size,
            Self::Routes => {
                for nth in 1..size {
                    let _ = match peer {
                        "irongate" => {
                            writeln!(shape.more, "[[route]]\npath = \"/service-{nth}\"\nupstream = \"chat\"")
                        }
                        _ => {
                            writeln!(shape.more, "location /service-{nth}/ {{ proxy_pass http://service; }}")
                        }
                    };
                }
                if peer == "irongate" {
                    // Routes in the file replace the shipped ones.
                    shape.more.push_str("[[route]]\npath = \"/chat\"\nupstream = \"chat\"\n");
                }
            }
        }
        shape
    }

    fn load(self, size: usize, site: &Site) -> Generator {
        let (path, connections) = match self {
            Self::Connections => ("/1k.bin", size),
            Self::Routes | Self::Servers => ("/chat/hello", CONNECTIONS),
        };
        Generator::Wrk(HttpLoad {
            url: format!("https://127.0.0.1:{}{path}", site.https.port()),
            connections,
            streams: 1,
            headers: Vec::new(),
            upload: None,
            status: 200,
        })
    }
}

/// One peer at one size: medians over the rounds.
#[derive(Clone, Debug, Default)]
struct Point {
    size: usize,
    rate: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
    errors: u64,
}

#[expect(clippy::print_stdout, reason = "the results")]
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let mut tools = Tools::new(Some(args.gateway_profile))?;
    tools.provide_generators(true, false, false)?;
    let peers: Vec<(&'static Peer, PathBuf)> = PEERS
        .iter()
        .filter_map(|name| Peer::named(name))
        .map(|peer| Ok((peer, tools.provide(peer.program)?)))
        .collect::<anyhow::Result<_>>()?;
    let most = Axis::Servers.points().iter().copied().max().unwrap_or(1);
    let stage = Stage::set(&tools, Upstream::Tcp, args.peers_on, args.load_on, args.first_port, most)?;
    let time = Duration::from_secs(args.seconds);
    let axes = if args.axis.is_empty() { Axis::ALL.to_vec() } else { args.axis };

    let mut text = format!("# Growth\n\n- Time: {}\n", Clock::system().now());
    for line in machine::description() {
        let _ = writeln!(text, "- {line}");
    }
    let _ = writeln!(text, "- {} rounds of {time:?}, as shipped\n", args.rounds);
    for axis in axes {
        let mut lines: Vec<(&str, Vec<Point>)> =
            peers.iter().map(|(peer, _)| (peer.name, Vec::new())).collect();
        for size in axis.points() {
            let points = measure(&stage, &tools, &peers, axis, *size, args.rounds, time)
                .with_context(|| format!("{size} {}", axis.name()))?;
            for ((_, line), point) in lines.iter_mut().zip(points) {
                line.push(point);
            }
        }
        let table = table(axis, &lines);
        println!("{table}");
        text.push_str(&table);
        write(&args.plots, &format!("{}.svg", axis.name()), &drawing(axis, &lines))?;
    }
    let date: String = Clock::system().now().to_string().chars().take(16).collect();
    write(&args.results, &format!("{}-growth.md", date.replace(['T', ':'], "-")), &text)
}

fn write(directory: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    let path = directory.join(name);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("bench: {}", path.display());
    Ok(())
}

fn measure(
    stage: &Stage,
    tools: &Tools,
    peers: &[(&'static Peer, PathBuf)],
    axis: Axis,
    size: usize,
    rounds: usize,
    time: Duration,
) -> anyhow::Result<Vec<Point>> {
    let place = Place { tools, processors: &stage.load_on, directory: stage.path() };
    let mut sites = Vec::new();
    for (peer, program) in peers {
        let shape = axis.shape(size, peer.name);
        let site = Site::open_shaped(stage, peer, program, peer.name, Setting::Shipped, &shape)?;
        axis.load(size, &site).run(&place, WARM_UP)?;
        sites.push(site);
    }
    let mut samples: Vec<Vec<(Outcome, f64)>> = vec![Vec::new(); sites.len()];
    for round in 0..rounds {
        for turn in 0..sites.len() {
            let nth = (round + turn) % sites.len();
            let (Some(site), Some(own)) = (sites.get(nth), samples.get_mut(nth)) else { continue };
            let (cpu, start) = (site.process.cpu_time(), Instant::now());
            let outcome = axis.load(size, site).run(&place, axis.time(size, time))?;
            ensure!(outcome.requests > 0, "nothing was answered in {:?}", start.elapsed());
            let cpu = site.process.cpu_time().saturating_sub(cpu).as_secs_f64() * 1e6;
            let cost = cpu / outcome.requests as f64;
            own.push((outcome, cost));
        }
    }
    let of = |own: &[(Outcome, f64)], value: &dyn Fn(&(Outcome, f64)) -> f64| {
        median(&own.iter().map(value).collect::<Vec<_>>()).unwrap_or_default()
    };
    let point = |own: &Vec<(Outcome, f64)>| Point {
        size,
        rate: of(own, &|(outcome, _)| outcome.rate()),
        cpu_us: of(own, &|(_, cost)| *cost),
        p50_ms: of(own, &|(outcome, _)| outcome.p50_ms.unwrap_or_default()),
        p99_ms: of(own, &|(outcome, _)| outcome.p99_ms.unwrap_or_default()),
        errors: own.iter().map(|(outcome, _)| outcome.errors).sum(),
    };
    Ok(samples.iter().map(point).collect())
}

fn table(axis: Axis, lines: &[(&str, Vec<Point>)]) -> String {
    let mut text = format!(
        "### {}: {}\n\n| | {} | CPU µs/request | req/s | p50 ms | p99 ms | errors |\n|---|--:|--:|--:|--:|--:|--:|\n",
        axis.name(),
        axis.what(),
        axis.name()
    );
    for (peer, points) in lines {
        for Point { size, rate, cpu_us, p50_ms, p99_ms, errors } in points {
            let _ = writeln!(
                text,
                "| {peer} | {size} | {cpu_us:.1} | {rate:.0} | {p50_ms:.2} | {p99_ms:.2} | {errors} |"
            );
        }
    }
    text.push('\n');
    text
}

fn drawing(axis: Axis, lines: &[(&str, Vec<Point>)]) -> String {
    let panel = |title: &'static str, value: fn(&Point) -> f64| Panel {
        title,
        lines: lines
            .iter()
            .map(|(name, points)| Line {
                name: (*name).to_owned(),
                points: points.iter().map(|point| (point.size as f64, value(point))).collect(),
            })
            .collect(),
    };
    plot::svg(
        axis.what(),
        &[
            panel("CPU µs per request", |point| point.cpu_us),
            panel("requests per second", |point| point.rate),
            panel("p99, ms", |point| point.p99_ms),
        ],
    )
}
