//! How many second tries are allowed: a share of the traffic, so that a sick service is not beaten to
//! death by its own retries.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Retries that are always allowed, per second, so that a quiet gateway can retry at all.
const FLOOR_PER_SECOND: i64 = 10;
/// Tenths of a percent of a retry; keeps the arithmetic whole.
const UNIT: i64 = 100;
/// How much may be saved up: a server that dies has so many requests in flight at most that are all tried again.
const MAX_SAVED: i64 = 1000 * UNIT;

/// A bucket into which every request pays a share of a retry and every retry takes one out.
pub(crate) struct RetryBudget {
    saved: AtomicI64,
    born: Instant,
    floor_paid_ms: AtomicU64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            saved: AtomicI64::new(FLOOR_PER_SECOND * UNIT),
            born: Instant::now(),
            floor_paid_ms: AtomicU64::new(0),
        }
    }
}

impl RetryBudget {
    pub(crate) fn request(&self, percent: u32) {
        self.pay(i64::from(percent));
    }

    /// Whether a retry may be made; takes it out of the budget.
    pub(crate) fn try_retry(&self) -> bool {
        self.pay_floor();
        self.saved.fetch_update(Relaxed, Relaxed, |saved| (saved >= UNIT).then_some(saved - UNIT)).is_ok()
    }

    fn pay_floor(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        let paid = self.floor_paid_ms.swap(now, Relaxed);
        let elapsed = i64::try_from(now.saturating_sub(paid).min(10_000)).unwrap_or(0);
        self.pay(elapsed * FLOOR_PER_SECOND * UNIT / 1000);
    }

    fn pay(&self, amount: i64) {
        let _ = self.saved.fetch_update(Relaxed, Relaxed, |saved| Some((saved + amount).min(MAX_SAVED)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_within_their_share_of_the_traffic() {
        let budget = RetryBudget::default();
        while budget.try_retry() {}
        for _ in 0..1000 {
            budget.request(5);
        }
        let retries = (0..1000).filter(|_| budget.try_retry()).count();
        assert!((50..=60).contains(&retries), "{retries}");
    }
}
