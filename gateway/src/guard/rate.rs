//! How many requests one caller may make: a token bucket per key (GCRA, so one number per key).

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Keys remembered per limiter; more callers than this at once and the stalest are forgotten.
const KEYS_MAX: usize = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    Address(IpAddr),
    User(Arc<str>),
}

/// A decision, and what the `RateLimit-*` fields say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Until another request would be allowed (when refused), or until the bucket is full again.
    pub(crate) reset: Duration,
}

/// Buckets of many callers. Generic Cell Rate Algorithm: per key the time at which its bucket is full again.
pub(crate) struct Limiter<K> {
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K> Default for Limiter<K> {
    fn default() -> Self {
        Self { full_at: Mutex::new(HashMap::new()) }
    }
}

impl<K: Hash + Eq> Limiter<K> {
    pub(crate) fn admit(&self, key: K, limit: RateLimit, now: Instant) -> Verdict {
        let per_request = Duration::from_secs(1) / limit.per_second.max(1);
        let capacity = limit.burst.max(1);
        let tolerance = per_request * (capacity - 1);
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(&key) {
            // Full buckets are as good as forgotten ones; when none is, an attacker with many
            // addresses costs others their debt, not their access.
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= KEYS_MAX {
                buckets.clear();
            }
        }
        let full_at = buckets.entry(key).or_insert(now);
        let debt = full_at.saturating_duration_since(now);
        if debt > tolerance {
            return Verdict { allowed: false, limit: capacity, remaining: 0, reset: debt - tolerance };
        }
        *full_at = (*full_at).max(now) + per_request;
        let debt = debt + per_request;
        let spent = debt.as_nanos().div_ceil(per_request.as_nanos().max(1));
        let remaining = capacity.saturating_sub(u32::try_from(spent).unwrap_or(u32::MAX));
        Verdict { allowed: true, limit: capacity, remaining, reset: debt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { per_second: 10, burst: 5 };

    #[test]
    fn a_burst_is_allowed_then_the_rate_holds() {
        let limiter = Limiter::default();
        let start = Instant::now();
        let allowed = |at: Duration| limiter.admit("a", LIMIT, start + at).allowed;
        for _ in 0..5 {
            assert!(allowed(Duration::ZERO));
        }
        assert!(!allowed(Duration::ZERO));
        assert!(allowed(Duration::from_millis(100)));
        assert!(!allowed(Duration::from_millis(150)));
        assert!(allowed(Duration::from_secs(10)));
    }

    #[test]
    fn the_verdict_says_what_is_left_and_when_to_come_back() {
        let limiter = Limiter::default();
        let now = Instant::now();
        assert_eq!(limiter.admit("a", LIMIT, now).remaining, 4);
        for _ in 0..4 {
            limiter.admit("a", LIMIT, now);
        }
        let refused = limiter.admit("a", LIMIT, now);
        assert_eq!(
            (refused.allowed, refused.remaining, refused.reset),
            (false, 0, Duration::from_millis(100))
        );
        assert!(limiter.admit("b", LIMIT, now).allowed, "callers do not share a bucket");
    }

    #[test]
    fn many_keys_stay_within_bounds() {
        let limiter = Limiter::default();
        let now = Instant::now();
        for key in 0..KEYS_MAX + 10 {
            limiter.admit(key, LIMIT, now);
        }
        assert!(limiter.full_at.lock().unwrap().len() <= KEYS_MAX);
    }
}
