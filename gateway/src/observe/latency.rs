//! How long answers took, in buckets that grow by a quarter: percentiles within 12 percent, without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// From 50 µs in steps of a quarter to some minutes.
const BUCKETS: usize = 72;
const FIRST_US: f64 = 50.0;
const STEP: f64 = 1.25;

/// The upper bound of each bucket. A look-up, because every request passes here.
#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would say so")]
const UPPER_US: [f64; BUCKETS] = {
    let mut bounds = [FIRST_US; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        bounds[at] = bounds[at - 1] * STEP;
        at += 1;
    }
    bounds
};

pub(super) struct Latencies {
    total: [AtomicU64; BUCKETS],
    second: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            total: std::array::from_fn(|_| AtomicU64::new(0)),
            second: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_us: AtomicU64::new(0),
        }
    }
}

/// Counts per bucket of some stretch of time.
#[derive(Clone, Debug)]
pub(super) struct Counts([u64; BUCKETS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

fn bucket(us: f64) -> usize {
    UPPER_US.partition_point(|upper| *upper < us).min(BUCKETS - 1)
}

fn upper_us(bucket: usize) -> f64 {
    UPPER_US.get(bucket).copied().unwrap_or(f64::INFINITY)
}

impl Latencies {
    pub(super) fn record(&self, took: Duration) {
        let us = took.as_secs_f64() * 1e6;
        let at = bucket(us);
        if let (Some(total), Some(second)) = (self.total.get(at), self.second.get(at)) {
            total.fetch_add(1, Relaxed);
            second.fetch_add(1, Relaxed);
        }
        self.sum_us.fetch_add(us as u64, Relaxed);
    }

    pub(super) fn take_second(&self) -> Counts {
        Counts(std::array::from_fn(|at| self.second.get(at).map_or(0, |count| count.swap(0, Relaxed))))
    }

    /// Upper bounds with the counts up to them, and the sum, as Prometheus wants them.
    pub(super) fn cumulative(&self) -> (Vec<(Duration, u64)>, Duration) {
        let mut so_far = 0;
        let buckets = self
            .total
            .iter()
            .enumerate()
            .map(|(at, count)| {
                so_far += count.load(Relaxed);
                (Duration::from_secs_f64(upper_us(at) / 1e6), so_far)
            })
            .collect();
        (buckets, Duration::from_micros(self.sum_us.load(Relaxed)))
    }
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own += other;
        }
    }

    pub(super) fn percentile_ms(&self, share: f64) -> f64 {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return 0.0;
        }
        let wanted = ((total as f64) * share).ceil() as u64;
        let mut so_far = 0;
        for (at, count) in self.0.iter().enumerate() {
            so_far += count;
            if so_far >= wanted {
                return (upper_us(at) / 10.0).round() / 100.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_bucket() {
        let latencies = Latencies::default();
        for ms in 1..=1000 {
            latencies.record(Duration::from_millis(ms));
        }
        let counts = latencies.take_second();
        for (share, expected) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let found = counts.percentile_ms(share);
            assert!((expected..expected * 1.26).contains(&found), "p{share}: {found}");
        }
        assert_eq!(latencies.take_second().percentile_ms(0.5), 0.0);
    }
}
