//! wrk: the cheapest closed loop over HTTP/1.1.

use std::time::Duration;

use anyhow::Context as _;

use super::{HttpLoad, Outcome, Place, found, output, whole_seconds};

const SCRIPT: &str = include_str!("wrk.lua");

pub(super) fn run(place: &Place<'_>, load: &HttpLoad, time: Duration) -> anyhow::Result<Outcome> {
    let script = place.directory.join("wrk.lua");
    std::fs::write(&script, SCRIPT)?;
    let threads = place.processors.count().min(load.connections);
    let mut arguments = vec![
        format!("--threads={threads}"),
        format!("--connections={}", load.connections),
        format!("--duration={}s", whole_seconds(time)),
        format!("--script={}", script.display()),
    ];
    arguments.extend(load.headers.iter().map(|(name, value)| format!("--header={name}: {value}")));
    arguments.push(load.url.clone());
    if let Some(size) = load.upload {
        arguments.extend(["--".to_owned(), size.to_string()]);
    }
    parse(&output(place, &found(place.tools.wrk.as_ref(), "wrk")?, &arguments)?)
}

fn parse(printed: &str) -> anyhow::Result<Outcome> {
    let line = printed.lines().rev().find(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("wrk printed no result: {printed}"))?;
    serde_json::from_str(line).with_context(|| format!("wrk printed {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_json_counts() {
        let printed = "Running 1s test\n  Requests/sec: 10\n\n\
            {\"requests\":10,\"errors\":2,\"seconds\":1.5,\"p50_ms\":0.5,\"p99_ms\":2.25,\"p999_ms\":3.0}\n";

        let outcome = parse(printed).unwrap();

        assert_eq!((outcome.requests, outcome.errors, outcome.p99_ms), (10, 2, Some(2.25)));
    }
}
