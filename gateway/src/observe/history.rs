//! The last hour: one point per ten seconds, and the running ten seconds in full.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

use super::latency::Counts;

const POINTS: usize = 360;
const SECONDS_PER_POINT: usize = 10;

#[derive(Default)]
pub(super) struct History {
    points: VecDeque<Point>,
    seconds: VecDeque<Second>,
    since_point: usize,
    /// How many points there ever were.
    closed: u64,
    last_totals: (u64, u64),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    at: String,
    requests: u64,
    errors: u64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    connections: i64,
    websockets: i64,
}

/// What is open at the moment.
#[derive(Clone, Copy)]
pub(super) struct Gauges {
    pub(super) connections: i64,
    pub(super) websockets: i64,
}

struct Second {
    requests: u64,
    errors: u64,
    counts: Counts,
}

#[derive(Default)]
pub(super) struct Recent {
    pub(super) requests_per_s: f64,
    pub(super) errors_per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
}

impl History {
    /// `requests` and `errors` are totals since the start.
    pub(super) fn push(&mut self, at: Timestamp, requests: u64, errors: u64, counts: Counts, open: Gauges) {
        let (before_requests, before_errors) = std::mem::replace(&mut self.last_totals, (requests, errors));
        if self.seconds.len() == SECONDS_PER_POINT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second {
            requests: requests - before_requests,
            errors: errors - before_errors,
            counts,
        });
        self.since_point += 1;
        if self.since_point == SECONDS_PER_POINT {
            self.since_point = 0;
            if self.points.len() == POINTS {
                self.points.pop_front();
            }
            let counts = self.counts();
            self.points.push_back(Point {
                at: super::clock::iso(at),
                requests: self.seconds.iter().map(|second| second.requests).sum(),
                errors: self.seconds.iter().map(|second| second.errors).sum(),
                p50_ms: counts.percentile_ms(0.5),
                p95_ms: counts.percentile_ms(0.95),
                p99_ms: counts.percentile_ms(0.99),
                connections: open.connections,
                websockets: open.websockets,
            });
            self.closed += 1;
        }
    }

    /// All points, and how many there ever were.
    pub(super) fn points(&self) -> (u64, Vec<Point>) {
        (self.closed, self.points.iter().cloned().collect())
    }

    /// The points, if there are others than when there had been `seen` of them.
    pub(super) fn points_after(&self, seen: u64) -> Option<(u64, Vec<Point>)> {
        (self.closed != seen).then(|| self.points())
    }

    /// Over the last ten seconds.
    pub(super) fn recent(&self) -> Recent {
        let seconds = self.seconds.len().max(1) as f64;
        let counts = self.counts();
        let rate = |total: u64| (total as f64 / seconds * 10.0).round() / 10.0;
        Recent {
            requests_per_s: rate(self.seconds.iter().map(|second| second.requests).sum()),
            errors_per_s: rate(self.seconds.iter().map(|second| second.errors).sum()),
            p50_ms: counts.percentile_ms(0.5),
            p95_ms: counts.percentile_ms(0.95),
            p99_ms: counts.percentile_ms(0.99),
        }
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for second in &self.seconds {
            sum.add(&second.counts);
        }
        sum
    }
}
