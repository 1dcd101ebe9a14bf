//! What a person can choose, and the run that follows.

use std::{env, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use irongate_shared::clock::Clock;

use crate::{
    backend, chat, growth,
    load::own,
    machine,
    peer::{Ability, PEERS, Peer, Setting},
    process::Processors,
    report,
    rounds::{self, Effort, Entrant},
    services,
    stage::{Stage, Upstream},
    tools::Tools,
    work::{Kind, WORKS, Work},
};

const WARM_UP: Duration = Duration::from_secs(1);
/// Every way of measuring once, but oha, which takes minutes to build.
const SMOKE: [&str; 11] = [
    "h1-plain-api",
    "h1-tls-api",
    "h2-tls-api",
    "h1-tls-1k",
    "h1-tls-compressed",
    "h1-tls-upload",
    "redirect",
    "hs-resume",
    "ws-echo",
    "steady-60",
    "idle-memory",
];

/// Puts the gateway beside NGINX and others in one run.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub struct Program {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    choice: Choice,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Say what can be compared, and at what.
    List,
    /// Put chat-svc beside Socket.IO and Django Channels.
    Chat(chat::Args),
    /// Measure what more connections, routes and servers cost, and draw it.
    Growth(growth::Args),
    /// Put requests to the services beside what they cost at the least.
    Services(services::Args),
    #[command(hide = true)]
    Backend(backend::Args),
    #[command(hide = true)]
    Load(own::Args),
}

#[derive(Debug, clap::Args)]
struct Choice {
    /// Who is compared; absent: all.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// What is measured; absent: all.
    #[arg(long, value_delimiter = ',')]
    work: Vec<String>,
    /// Without logs and extras, or as people run it; absent: both, one after the other.
    #[arg(long, value_delimiter = ',')]
    setting: Vec<Setting>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How the peers reach the service.
    #[arg(long, value_enum, default_value = "tcp")]
    upstream: Upstream,
    /// Processors of the peer that is measured, as taskset writes them.
    #[arg(long, default_value = "0")]
    peers_on: Processors,
    /// Processors of the load generator and the service.
    #[arg(long, default_value = "1")]
    load_on: Processors,
    /// Whom the ratios refer to; it takes part twice, to show the noise.
    #[arg(long, default_value = "nginx")]
    baseline: String,
    /// The first of the ports that are taken.
    #[arg(long, default_value_t = 18_600)]
    first_port: u16,
    /// The profile with which the gateway is built.
    #[arg(long, default_value = "release")]
    gateway_profile: String,
    /// Where the results go.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
    /// Only try whether everything works: the gateway as it was built last beside NGINX, a second each, and each
    /// way of measuring once. No result is kept.
    #[arg(long)]
    smoke: bool,
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
pub(crate) fn run(program: Program) -> anyhow::Result<()> {
    match program.part {
        None => bench(program.choice),
        Some(Part::Chat(args)) => chat::run(&args),
        Some(Part::Services(args)) => services::run(&args),
        Some(Part::Backend(args)) => backend::run(&args),
        Some(Part::Load(args)) => own::serve(&args),
        Some(Part::Growth(args)) => growth::run(args),
        Some(Part::List) => {
            let peers: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
            println!("Peers: {}\n\nWork:", peers.join(", "));
            for work in WORKS {
                println!("  {:<18} {}", work.name, work.what);
            }
            Ok(())
        }
    }
}

#[expect(clippy::print_stdout, reason = "the results")]
fn bench(choice: Choice) -> anyhow::Result<()> {
    let smoke = choice.smoke;
    let works = works(&choice.work, smoke)?;
    let settings = match choice.setting.as_slice() {
        [] if smoke => vec![Setting::Shipped],
        [] => vec![Setting::Bare, Setting::Shipped],
        chosen => chosen.to_vec(),
    };
    let effort = if smoke {
        Effort { rounds: 1, warm_up: Duration::ZERO, time: Duration::from_secs(1) }
    } else {
        Effort { rounds: choice.rounds, warm_up: WARM_UP, time: Duration::from_secs(choice.seconds) }
    };
    let names = if smoke && choice.peers.is_empty() {
        vec!["irongate".to_owned(), choice.baseline.clone()]
    } else {
        choice.peers.clone()
    };

    let mut tools = Tools::new((!smoke).then_some(choice.gateway_profile))?;
    let uses = |kind: fn(&Kind) -> bool| works.iter().any(|work| kind(&work.kind));
    tools.provide_generators(
        uses(|kind| matches!(kind, Kind::Http1(_) | Kind::Steady { .. })),
        uses(|kind| matches!(kind, Kind::Http2(_))),
        uses(|kind| matches!(kind, Kind::Oha { .. })),
    )?;
    let entrants = entrants(&names, &choice.baseline, choice.upstream, smoke, &tools)?;
    let stage = Stage::set(&tools, choice.upstream, choice.peers_on, choice.load_on, choice.first_port, 1)?;

    let mut text = head(&stage, &entrants, effort);
    println!("{text}");
    let mut failed = Vec::new();
    for setting in settings {
        for work in works.iter().filter(|work| work.only.is_none_or(|only| only == setting)) {
            let rows = rounds::measure(&stage, &tools, &entrants, work, setting, effort)?;
            let table = report::table(work, setting, &rows, &choice.baseline);
            println!("{table}");
            text.push_str(&format!("{table}\n"));
            failed.extend(rows.iter().filter_map(|row| {
                let trouble = row.trouble.as_ref()?;
                Some(format!("{} at {}: {trouble}", row.label, work.name))
            }));
        }
    }
    if !smoke {
        let path = choice.results.join(file_name(&choice.peers, &choice.work));
        fs::create_dir_all(&choice.results)?;
        fs::write(&path, &text).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("bench: results in {}", path.display());
    }
    if !failed.is_empty() {
        bail!("not everything could be measured:\n{}", failed.join("\n"));
    }
    Ok(())
}

fn works(names: &[String], smoke: bool) -> anyhow::Result<Vec<&'static Work>> {
    if names.is_empty() {
        return Ok(WORKS.iter().filter(|work| !smoke || SMOKE.contains(&work.name)).collect());
    }
    let work = |name: &String| {
        Work::named(name).with_context(|| format!("there is no work `{name}`; `bench list` names all"))
    };
    names.iter().map(work).collect()
}

/// The peers, each set up, and the baseline a second time.
fn entrants(
    names: &[String],
    baseline: &str,
    upstream: Upstream,
    smoke: bool,
    tools: &Tools,
) -> anyhow::Result<Vec<Entrant>> {
    let mut peers: Vec<&'static Peer> = if names.is_empty() {
        PEERS.iter().collect()
    } else {
        let peer = |name: &String| {
            Peer::named(name).with_context(|| format!("there is no peer `{name}`; `bench list` names all"))
        };
        names.iter().map(peer).collect::<anyhow::Result<_>>()?
    };
    if upstream == Upstream::Unix {
        peers.retain(|peer| peer.can(Ability::UnixSockets));
    }
    let mut entrants = Vec::new();
    for peer in peers {
        let program = tools.provide(peer.program)?;
        entrants.push(Entrant { label: peer.name.to_owned(), peer, program: program.clone() });
        if peer.name == baseline && !smoke {
            entrants.push(Entrant { label: format!("{}-again", peer.name), peer, program });
        }
    }
    Ok(entrants)
}

/// What a result belongs to.
fn head(stage: &Stage, entrants: &[Entrant], effort: Effort) -> String {
    let mut text = "# Irongate beside others\n\n".to_owned();
    let mut line = |line: String| text.push_str(&format!("- {line}\n"));
    line(format!("Time: {}", Clock::system().now()));
    line(format!("Command: `bench {}`", env::args().skip(1).collect::<Vec<_>>().join(" ")));
    machine::description().into_iter().for_each(&mut line);
    line(format!(
        "Peers on processors {}, generator and service on {}; {} rounds of {:?}, service over {:?}",
        stage.peers_on, stage.load_on, effort.rounds, effort.time, stage.upstream
    ));
    for entrant in entrants {
        line(format!(
            "{}: {}, configuration {}",
            entrant.label,
            entrant.peer.version(&entrant.program),
            entrant.peer.configuration_hash()
        ));
    }
    format!("{text}\n{}\n", report::LEGEND)
}

/// `<date>-<what>.md`
fn file_name(peers: &[String], work: &[String]) -> String {
    let date: String = Clock::system().now().to_string().chars().take(16).collect();
    let part = |names: &[String]| if names.is_empty() { "all".to_owned() } else { names.join("+") };
    format!("{}-{}-{}.md", date.replace(['T', ':'], "-"), part(peers), part(work))
}
