//! oha: what many people measure with. Dearer for the machine than wrk and h2load, so it seldom finds the limit.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use serde::Deserialize;

use super::{HttpLoad, Outcome, Place, found, output, whole_seconds};

pub(super) fn run(place: &Place<'_>, load: &HttpLoad, time: Duration) -> anyhow::Result<Outcome> {
    let mut arguments: Vec<String> =
        ["--no-tui", "--output-format", "json", "--insecure", "--redirect", "0"].map(str::to_owned).to_vec();
    arguments.extend(["-z".to_owned(), format!("{}s", whole_seconds(time))]);
    arguments.extend(["-c".to_owned(), load.connections.to_string()]);
    // Requests still on their way at the end are no failures.
    arguments.push("--wait-ongoing-requests-after-deadline".to_owned());
    if load.streams > 1 {
        arguments.extend(["--http2".to_owned(), "-p".to_owned(), load.streams.to_string()]);
    }
    arguments.push(load.url.clone());
    let printed = output(place, &found(place.tools.oha.as_ref(), "oha")?, &arguments)?;
    parse(&printed, load.status)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    summary: Summary,
    latency_percentiles: BTreeMap<String, Option<f64>>,
    status_code_distribution: BTreeMap<String, u64>,
    error_distribution: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Summary {
    total: f64,
}

fn parse(printed: &str, status: u16) -> anyhow::Result<Outcome> {
    let printed: Printed = serde_json::from_str(printed).with_context(|| format!("oha printed {printed}"))?;
    let requests = printed.status_code_distribution.get(&status.to_string()).copied().unwrap_or(0);
    let answered: u64 = printed.status_code_distribution.values().sum();
    let percentile = |name: &str| printed.latency_percentiles.get(name).copied().flatten().map(|s| s * 1e3);
    Ok(Outcome {
        requests,
        errors: answered - requests + printed.error_distribution.values().sum::<u64>(),
        seconds: printed.summary.total,
        p50_ms: percentile("p50"),
        p99_ms: percentile("p99"),
        p999_ms: percentile("p99.9"),
        sessions: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_were_not_expected_are_errors() {
        let printed = r#"{"summary":{"total":2.0,"requestsPerSec":55.0},
            "latencyPercentiles":{"p50":0.001,"p99":0.002,"p99.9":null},
            "statusCodeDistribution":{"200":100,"502":7},"errorDistribution":{"aborted":3}}"#;

        let outcome = parse(printed, 200).unwrap();

        assert_eq!((outcome.requests, outcome.errors, outcome.seconds), (100, 10, 2.0));
        assert_eq!((outcome.p50_ms, outcome.p999_ms), (Some(1.0), None));
    }
}
