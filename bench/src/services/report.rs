//! What a run of the services found: as a table, and as JSON for `bench/results/`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use irongate_shared::clock::Clock;
use serde::{Serialize, Serializer};

use super::{Args, Backend, Work, limit::Limit, load::Measured};
use crate::statistics::median;

/// Above this share of the services' processors, other programs disturbed the measurement.
const DISTURBED: f64 = 0.05;

#[derive(Debug, Serialize)]
pub(super) struct Results {
    time: String,
    command: String,
    machine: Vec<String>,
    rows: Vec<Row>,
}

/// One measurement, and the limit that was measured beside it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(serialize_with = "lowercase")]
    pub(super) work: Work,
    /// Which of several measurements of that work; empty where there is one.
    pub(super) part: &'static str,
    #[serde(serialize_with = "lowercase")]
    pub(super) backend: Backend,
    pub(super) measured: Measured,
    pub(super) limit: Option<Limit>,
}

fn lowercase<S: Serializer>(value: &impl std::fmt::Debug, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{value:?}").to_lowercase())
}

impl Results {
    pub(super) fn new(mut machine: Vec<String>, args: &Args) -> Self {
        machine.push(format!(
            "Services on processors {}; generator and PostgreSQL on {}; {} rounds of {} s; bcrypt cost {}",
            args.servers_on, args.load_on, args.rounds, args.seconds, args.bcrypt_cost
        ));
        Self {
            time: Clock::system().now().to_string(),
            command: format!("bench {}", std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
            machine,
            rows: Vec::new(),
        }
    }

    pub(super) fn extend(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let date: String = self.time.chars().take(16).collect();
        let path = folder.join(format!("{}-services.json", date.replace(['T', ':'], "-")));
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = "# The services beside their limits\n\n".to_owned();
        let _ = writeln!(text, "- Time: {}\n- Command: `{}`", self.time, self.command);
        for line in &self.machine {
            let _ = writeln!(text, "- {line}");
        }
        text.push_str(
            "\n| | database | per second | CPU µs | PostgreSQL µs | refused per second | p50 ms | p99 ms | busy | others | limit: per second | CPU µs | PostgreSQL µs | of the limit: rate | CPU |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        let mut names: Vec<(Work, Backend, &'static str)> = Vec::new();
        for row in &self.rows {
            let name = (row.work, row.backend, row.part);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            self.line(&mut text, name);
        }
        text.push_str(
            "\nThe limit of a sign-in is bcrypt alone on the processors of auth-svc, measured before and after it, in a flood of them too; of all else on PostgreSQL its statements alone, asked by pgbench in the place of the service. `of the limit`: the service's rate over that of the limit, and the limit's processor time over the service's.\n",
        );
        text
    }

    fn line(&self, text: &mut String, (work, backend, part): (Work, Backend, &'static str)) {
        let of = |figure: &dyn Fn(&Row) -> Option<f64>| {
            let same = |row: &&Row| row.work == work && row.backend == backend && row.part == part;
            median(&self.rows.iter().filter(same).filter_map(figure).collect::<Vec<_>>())
        };
        let limit = |figure: fn(&Limit) -> f64| of(&|row| row.limit.as_ref().map(figure));
        let others = of(&|row| Some(row.measured.others));
        let name = match (work, part) {
            (Work::Login, _) => "sign-in".to_owned(),
            (Work::Refresh, _) => "refresh".to_owned(),
            (Work::Me, _) => "`GET /user/me`".to_owned(),
            (Work::History, _) => "history, 50 messages".to_owned(),
            (Work::Flood, part) => format!("{part}, in a flood of sign-ins"),
            (Work::Verify, part) => format!("check of a {part}"),
        };
        let rate = |row: &Row| Some(row.measured.per_second / row.limit?.per_second);
        let cpu = |row: &Row| Some(row.limit?.cpu_micros / row.measured.cpu_micros);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {}{} | {} | {} | {} | {} | {} |",
            backend.name(),
            number(of(&|row| Some(row.measured.per_second)), 1),
            number(of(&|row| Some(row.measured.cpu_micros)), 2),
            number(of(&|row| Some(row.measured.postgres_micros)).filter(|_| backend == Backend::Postgres), 1),
            number(of(&|row| row.measured.refused_per_second), 1),
            number(of(&|row| row.measured.p50_ms), 2),
            number(of(&|row| row.measured.p99_ms), 2),
            percent(of(&|row| Some(row.measured.busy))),
            percent(others),
            if others.is_some_and(|share| share > DISTURBED) { " !" } else { "" },
            number(limit(|limit| limit.per_second), 1),
            number(limit(|limit| limit.cpu_micros), 2),
            number(limit(|limit| limit.postgres_micros), 1),
            percent(of(&rate)),
            percent(of(&cpu)),
        );
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
