//! h2load: a closed loop over HTTP/2, many requests at a time on each connection.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};

use super::{
    HttpLoad, Outcome, Place, found, output,
    own::{self, percentile_ms},
    whole_seconds,
};

pub(super) fn run(place: &Place<'_>, load: &HttpLoad, time: Duration) -> anyhow::Result<Outcome> {
    let log = place.directory.join("h2load.log");
    // h2load appends.
    if log.exists() {
        fs::remove_file(&log)?;
    }
    let mut arguments = vec![
        format!("--clients={}", load.connections),
        format!("--max-concurrent-streams={}", load.streams),
        format!("--threads={}", place.processors.count().min(load.connections)),
        format!("--duration={}", whole_seconds(time)),
        // Without it h2load falls back to pipelined HTTP/1.1 and says nothing.
        "--npn-list=h2".to_owned(),
        format!("--log-file={}", log.display()),
    ];
    arguments.extend(load.headers.iter().map(|(name, value)| format!("--header={name}: {value}")));
    arguments.push(load.url.clone());
    let printed = output(place, &found(place.tools.h2load.as_ref(), "h2load")?, &arguments)?;
    parse(&printed, &fs::read_to_string(&log).unwrap_or_default())
}

/// The summary says how many, the log how long each one took.
fn parse(printed: &str, log: &str) -> anyhow::Result<Outcome> {
    ensure!(printed.contains("Application protocol: h2"), "h2load did not speak HTTP/2: {printed}");
    let field = |line: &str, name: &str| -> Option<u64> {
        let line = printed.lines().find_map(|text| text.strip_prefix(line))?;
        let field = line.split(',').find_map(|field| field.trim().strip_suffix(name))?;
        field.trim().parse().ok()
    };
    let requests = field("status codes:", "2xx").context("h2load printed no status codes")?;
    let done = field("requests:", "done").context("h2load printed no requests")?;
    let broken = field("requests:", "errored").unwrap_or(0) + field("requests:", "timeout").unwrap_or(0);
    let seconds = printed
        .lines()
        .find_map(|line| line.strip_prefix("finished in "))
        .and_then(|rest| duration(rest.split(',').next()?))
        .context("h2load did not say how long it took")?;
    let mut latencies = own::latencies()?;
    for line in log.lines() {
        // start time, status, elapsed; all times in microseconds
        if let Some(elapsed) = line.split('\t').nth(2).and_then(|field| field.parse::<u64>().ok()) {
            latencies.saturating_record(elapsed);
        }
    }
    Ok(Outcome {
        requests,
        errors: done.saturating_sub(requests) + broken,
        seconds,
        p50_ms: percentile_ms(&latencies, 50.0),
        p99_ms: percentile_ms(&latencies, 99.0),
        p999_ms: percentile_ms(&latencies, 99.9),
        sessions: None,
    })
}

/// h2load's own way of writing times: `3.00s`, `950.11ms`, `12us`.
fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    for (unit, seconds) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Some(number.parse::<f64>().ok()? * seconds);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
Application protocol: h2

finished in 2.50s, 20000.00 req/s, 5MB/s
requests: 50000 total, 50128 started, 50000 done, 49990 succeeded, 10 failed, 0 errored, 3 timeout
status codes: 49990 2xx, 0 3xx, 0 4xx, 10 5xx
";

    #[test]
    fn other_answers_than_2xx_are_errors() {
        let outcome = parse(PRINTED, "1\t200\t1000\n2\t200\t1000\n3\t200\t9000\n").unwrap();

        assert_eq!((outcome.requests, outcome.errors, outcome.seconds), (49_990, 13, 2.5));
        assert_eq!(outcome.p50_ms.map(f64::round), Some(1.0));
        assert_eq!(outcome.p99_ms.map(f64::round), Some(9.0));
    }

    #[test]
    fn a_fall_back_to_http_1_is_no_result() {
        assert!(parse(&PRINTED.replace("protocol: h2", "protocol: http/1.1"), "").is_err());
    }
}
