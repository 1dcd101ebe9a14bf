//! What a run found out, as Markdown: for the terminal, and as a file for `bench/results/`.

use std::fmt::Write as _;

use crate::{
    peer::Setting,
    rounds::{Row, Sample},
    statistics::{Spread, median, paired_ratio},
    work::{Kind, Unit, Work},
};

/// Below this share of its processors a peer was waiting for the generator or the backend.
const BUSY: f64 = 0.9;
/// Above this share of the peer's processors, other programs disturbed the round.
const DISTURBED: f64 = 0.05;

/// One work in one setting, as a table.
pub(crate) fn table(work: &Work, setting: Setting, rows: &[Row], baseline: &str) -> String {
    let mut text = format!("### {}: {} ({})\n\n", work.name, work.what, setting.name());
    let base = rows.iter().find(|row| row.label == baseline);
    if work.unit() == Unit::CpuMicros {
        loads(&mut text, work, rows, base);
    } else {
        costs(&mut text, work.unit(), rows, base);
    }
    for row in rows {
        if let Some(trouble) = &row.trouble {
            let _ = writeln!(text, "\n{} failed: {}", row.label, trouble.replace('\n', " / "));
        }
    }
    text
}

fn loads(text: &mut String, work: &Work, rows: &[Row], base: Option<&Row>) {
    let handshakes = matches!(work.kind, Kind::Handshakes { .. });
    text.push_str(
        "| | CPU µs/request | CPU ratio | req/s | req/s ratio | p50 ms | p99 ms | p99.9 ms | busy | others | errors |",
    );
    text.push_str(if handshakes { " resumed |\n" } else { "\n" });
    text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    text.push_str(if handshakes { "--:|\n" } else { "\n" });
    let closed_loop = !matches!(work.kind, Kind::Steady { .. });
    let base_is_limit = base.is_some_and(is_limit);
    for row in rows {
        let rate = |sample: &Sample| sample.load.as_ref().map(|load| load.outcome.rate());
        let throughput = if !closed_loop {
            "–".to_owned()
        } else if base_is_limit && is_limit(row) {
            ratio(row, base, rate)
        } else {
            // A rate that the generator or the backend set compares nothing.
            "limited".to_owned()
        };
        let others = middle(row, |sample| sample.load.as_ref().map(|load| load.others));
        let disturbed = if others.is_some_and(|share| share > DISTURBED) { " !" } else { "" };
        let _ = write!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {}{disturbed} | {} |",
            row.label,
            number(middle(row, |sample| Some(sample.cost)), 1),
            ratio(row, base, |sample| Some(sample.cost)),
            number(middle(row, rate), 0),
            throughput,
            number(middle(row, |sample| sample.load.as_ref()?.outcome.p50_ms), 2),
            number(middle(row, |sample| sample.load.as_ref()?.outcome.p99_ms), 2),
            number(middle(row, |sample| sample.load.as_ref()?.outcome.p999_ms), 2),
            percent(middle(row, |sample| Some(sample.load.as_ref()?.busy))),
            percent(others),
            errors(row),
        );
        if handshakes {
            let share = middle(row, |sample| {
                let sessions = sample.load.as_ref()?.outcome.sessions?;
                (sessions.returned > 0).then(|| sessions.resumed as f64 / sessions.returned as f64)
            });
            let _ = write!(text, " {} |", percent(share));
        }
        text.push('\n');
    }
}

fn costs(text: &mut String, unit: Unit, rows: &[Row], base: Option<&Row>) {
    let unit = match unit {
        Unit::KibPerConnection => "KiB/connection",
        Unit::Millis => "ms",
        Unit::CpuMicros => "CPU µs/request",
    };
    let _ = writeln!(text, "| | {unit} | ratio |\n|---|--:|--:|");
    for row in rows {
        let cost = |sample: &Sample| Some(sample.cost);
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            row.label,
            number(middle(row, cost), 1),
            ratio(row, base, cost)
        );
    }
}

/// Whether the peer itself was what ended the growth of the rate.
fn is_limit(row: &Row) -> bool {
    middle(row, |sample| Some(sample.load.as_ref()?.busy)).is_some_and(|busy| busy >= BUSY)
}

fn values(row: &Row, of: impl Fn(&Sample) -> Option<f64>) -> Vec<Option<f64>> {
    row.samples.iter().map(|sample| of(sample.as_ref()?)).collect()
}

fn middle(row: &Row, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
    median(&values(row, of).into_iter().flatten().collect::<Vec<_>>())
}

/// The paired ratio to the baseline with its range over the rounds.
fn ratio(row: &Row, base: Option<&Row>, of: impl Fn(&Sample) -> Option<f64> + Copy) -> String {
    let Some(Spread { median, lowest, highest }) =
        base.and_then(|base| paired_ratio(&values(row, of), &values(base, of)))
    else {
        return "–".to_owned();
    };
    format!("{median:.2} ({lowest:.2}–{highest:.2})")
}

fn errors(row: &Row) -> u64 {
    row.samples.iter().flatten().filter_map(|sample| Some(sample.load.as_ref()?.outcome.errors)).sum()
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// How to read the tables; stands above them.
pub(crate) const LEGEND: &str = "\
Ratios are to the baseline: the median of the ratios round by round, with the lowest and the highest; below 1 is \
better for CPU, memory and time, above 1 for req/s. `…-again` is the baseline a second time: how far its ratios are \
from 1 is the noise, and a difference inside it is none. *busy* is the share of its processors that the peer used; \
where either side is below 90 %, the generator or the backend was the limit, and req/s say nothing (`limited`). \
*others* is the share of those processors that other programs used (`!` above 5 %).
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{load::Outcome, rounds::LoadSample};

    fn row(label: &str, costs: &[f64], busy: f64) -> Row {
        let sample = |cost: &f64| {
            let outcome = Outcome { requests: 1000, seconds: 1.0, ..Outcome::default() };
            Some(Sample { cost: *cost, load: Some(LoadSample { outcome, busy, others: 0.0 }) })
        };
        Row { label: label.to_owned(), samples: costs.iter().map(sample).collect(), trouble: None }
    }

    fn line<'a>(table: &'a str, label: &str) -> &'a str {
        table.lines().find(|line| line.starts_with(&format!("| {label} |"))).unwrap()
    }

    #[test]
    fn throughput_is_not_compared_when_the_generator_was_the_limit() {
        let work = Work::named("h1-tls-api").unwrap();
        let rows = [row("nginx", &[20.0], 0.97), row("quick", &[10.0], 0.6), row("slow", &[40.0], 1.0)];

        let table = table(work, Setting::Bare, &rows, "nginx");

        assert!(line(&table, "quick").contains("| 0.50 (0.50–0.50) | 1000 | limited |"), "{table}");
        assert!(line(&table, "slow").contains("| 2.00 (2.00–2.00) | 1000 | 1.00 (1.00–1.00) |"), "{table}");
    }

    #[test]
    fn a_peer_that_failed_is_named_with_the_reason() {
        let work = Work::named("ready").unwrap();
        let failed = Row { label: "envoy".into(), samples: vec![None], trouble: Some("no\nway".into()) };

        let table = table(work, Setting::Shipped, &[failed], "nginx");

        assert!(table.contains("| envoy | – | – |"), "{table}");
        assert!(table.contains("envoy failed: no / way"), "{table}");
    }
}
