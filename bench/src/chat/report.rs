//! What a run of the chat found: as tables, and as JSON for `bench/results/`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use irongate_shared::clock::Clock;
use serde::Serialize;

use super::{Args, Work, entrant::Entrant};
use crate::statistics::median;

/// Above this share of the measured server's processors, other programs disturbed the measurement.
const DISTURBED: f64 = 0.05;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    time: String,
    command: String,
    machine: Vec<String>,
    results: Vec<Result>,
}

#[derive(Debug, Serialize)]
pub(super) struct Result {
    pub(super) entrant: &'static str,
    #[serde(serialize_with = "name_of")]
    pub(super) work: Work,
    pub(super) figures: Figures,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figures {
    Load {
        full: Load,
        /// Deliveries that never came.
        lost: u64,
        steady: Option<Steady>,
    },
    Idle(Vec<Idle>),
}

#[derive(Debug, Serialize)]
pub(super) struct Load {
    pub(super) deliveries_per_second: f64,
    pub(super) messages_per_second: f64,
    pub(super) cpu_micros_per_delivery: f64,
    pub(super) cpu_micros_per_message: f64,
    pub(super) helpers_cpu_micros_per_message: f64,
    pub(super) server_busy: f64,
    pub(super) others_busy: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Steady {
    pub(super) load: Load,
    pub(super) rate: f64,
    pub(super) lost: u64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Idle {
    pub(super) sockets: usize,
    pub(super) memory_kib: u64,
    pub(super) kib_per_socket: f64,
}

fn name_of<S: serde::Serializer>(work: &Work, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{work:?}").to_lowercase())
}

impl Results {
    pub(super) fn new(machine: Vec<String>, args: &Args) -> Self {
        let mut machine = machine;
        machine.push(format!(
            "Measured servers on processors {}; generator, PostgreSQL and Redis on {}; {} rounds of {} s",
            args.servers_on, args.load_on, args.rounds, args.seconds
        ));
        Self {
            time: Clock::system().now().to_string(),
            command: format!("bench {}", std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
            machine,
            results: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, result: Result) {
        self.results.push(result);
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let date: String = self.time.chars().take(16).collect();
        let path = folder.join(format!("{}-chat.json", date.replace(['T', ':'], "-")));
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = "# The chat beside others\n\n".to_owned();
        let _ = writeln!(text, "- Time: {}\n- Command: `{}`", self.time, self.command);
        for line in &self.machine {
            let _ = writeln!(text, "- {line}");
        }
        for (work, title) in [
            (Work::Room, "one room of 1,000 members, 8 of whom send"),
            (Work::Rooms, "100 rooms of 10 members, one of whom sends"),
        ] {
            self.loads(&mut text, work, title);
        }
        self.durable(&mut text);
        self.idle(&mut text);
        text
    }

    fn names(&self, work: Work) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = Vec::new();
        for result in self.results.iter().filter(|result| result.work == work) {
            if !names.contains(&result.entrant) {
                names.push(result.entrant);
            }
        }
        names
    }

    /// The median over the rounds of one figure.
    fn middle(
        &self,
        name: &str,
        work: Work,
        figure: impl Fn(&Load, u64, Option<&Steady>) -> Option<f64>,
    ) -> Option<f64> {
        let values: Vec<f64> = self
            .results
            .iter()
            .filter(|result| result.entrant == name && result.work == work)
            .filter_map(|result| match &result.figures {
                Figures::Load { full, lost, steady } => figure(full, *lost, steady.as_ref()),
                Figures::Idle(_) => None,
            })
            .collect();
        median(&values)
    }

    fn loads(&self, text: &mut String, work: Work, title: &str) {
        let names = self.names(work);
        if names.is_empty() {
            return;
        }
        let _ = write!(
            text,
            "\n### {title}\n\n| | deliveries/s | CPU µs/delivery | busy | others | lost | at a fixed rate: messages/s | CPU µs/delivery | p50 ms | p99 ms | lost |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        );
        for name in names {
            let of = |figure: fn(&Load, u64, Option<&Steady>) -> Option<f64>| self.middle(name, work, figure);
            let others = of(|load, _, _| Some(load.others_busy));
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {}{} | {} | {} | {} | {} | {} | {} |",
                number(of(|load, _, _| Some(load.deliveries_per_second)), 0),
                number(of(|load, _, _| Some(load.cpu_micros_per_delivery)), 2),
                percent(of(|load, _, _| Some(load.server_busy))),
                percent(others),
                if others.is_some_and(|share| share > DISTURBED) { " !" } else { "" },
                number(of(|_, lost, _| Some(lost as f64)), 0),
                number(of(|_, _, steady| Some(steady?.rate)), 0),
                number(of(|_, _, steady| Some(steady?.load.cpu_micros_per_delivery)), 2),
                number(of(|_, _, steady| steady?.p50_ms), 2),
                number(of(|_, _, steady| steady?.p99_ms), 2),
                number(of(|_, _, steady| Some(steady?.lost as f64)), 0),
            );
        }
        legend(text, self.names(work));
    }

    fn durable(&self, text: &mut String) {
        let names = self.names(Work::Durable);
        if names.is_empty() {
            return;
        }
        text.push_str(
            "\n### stored messages: 64 rooms of one member, 32 messages of each on their way\n\n| | messages/s | CPU µs/message | CPU of PostgreSQL and Redis, µs/message | busy | others | lost |\n|---|--:|--:|--:|--:|--:|--:|\n",
        );
        for name in &names {
            let of = |figure: fn(&Load, u64, Option<&Steady>) -> Option<f64>| {
                self.middle(name, Work::Durable, figure)
            };
            let others = of(|load, _, _| Some(load.others_busy));
            let helpers = Entrant::named(name).is_some_and(Entrant::has_helpers);
            let helpers =
                helpers.then(|| of(|load, _, _| Some(load.helpers_cpu_micros_per_message))).flatten();
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} | {} | {}{} | {} |",
                number(of(|load, _, _| Some(load.messages_per_second)), 0),
                number(of(|load, _, _| Some(load.cpu_micros_per_message)), 1),
                number(helpers, 1),
                percent(of(|load, _, _| Some(load.server_busy))),
                percent(others),
                if others.is_some_and(|share| share > DISTURBED) { " !" } else { "" },
                number(of(|_, lost, _| Some(lost as f64)), 0),
            );
        }
        legend(text, names);
    }

    fn idle(&self, text: &mut String) {
        let names = self.names(Work::Idle);
        if names.is_empty() {
            return;
        }
        text.push_str("\n### memory of idle sockets, each following a room\n\n| | sockets | KiB per socket | all, MiB |\n|---|--:|--:|--:|\n");
        for name in &names {
            let mut measured: Vec<&Idle> = self
                .results
                .iter()
                .filter(|result| result.entrant == *name)
                .filter_map(|result| match &result.figures {
                    Figures::Idle(all) => Some(all),
                    Figures::Load { .. } => None,
                })
                .flatten()
                .collect();
            measured.sort_by_key(|idle| idle.sockets);
            for same in measured.chunk_by(|one, other| one.sockets == other.sockets) {
                let each: Vec<f64> = same.iter().map(|idle| idle.kib_per_socket).collect();
                let all: Vec<f64> = same.iter().map(|idle| idle.memory_kib as f64 / 1024.0).collect();
                let sockets = same.first().map_or(0, |idle| idle.sockets);
                let _ = writeln!(
                    text,
                    "| {name} | {sockets} | {} | {} |",
                    number(median(&each), 1),
                    number(median(&all), 0)
                );
            }
        }
        legend(text, names);
    }
}

fn legend(text: &mut String, names: Vec<&'static str>) {
    text.push('\n');
    for entrant in names.into_iter().filter_map(Entrant::named) {
        let _ = writeln!(text, "{}: {}.  ", entrant.name, entrant.what);
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let plain = format!("{value:.digits$}");
    let (whole, rest) = plain.split_once('.').map_or((plain.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (nth, digit) in whole.chars().enumerate() {
        if nth > 0 && (whole.len() - nth) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
