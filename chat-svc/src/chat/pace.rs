//! How fast is too fast: the generic cell rate algorithm (ITU-T I.371), one number per whatever is paced.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use irongate_shared::clock::Timestamp;

/// A steady rate, and how much may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    every_us: i64,
    ahead_us: i64,
}

impl Pace {
    /// So many a second, twice as many at once.
    pub(crate) fn per_second(rate: u32) -> Self {
        Self::with_burst(rate, rate.saturating_mul(2))
    }

    pub(crate) fn with_burst(rate: u32, burst: u32) -> Self {
        let every_us = 1_000_000 / i64::from(rate.max(1));
        Self { every_us, ahead_us: every_us * i64::from(burst.saturating_sub(1)) }
    }

    pub(crate) fn one_every(time: Duration) -> Self {
        Self { every_us: i64::try_from(time.as_micros()).unwrap_or(i64::MAX), ahead_us: 0 }
    }

    /// Whether one more fits now; else how long until it does.
    pub(crate) fn admit(self, next: &mut NextDue, now: Timestamp) -> Result<(), Duration> {
        let now = now.as_millis().saturating_mul(1000);
        let mut due = next.0.max(now);
        // Further ahead than anybody is let: the clock was put back. Nobody waits for that.
        if due - now > self.ahead_us.saturating_add(self.every_us) {
            due = now;
        }
        let ahead = due - now;
        if ahead > self.ahead_us {
            return Err(Duration::from_micros(u64::try_from(ahead - self.ahead_us).unwrap_or(0)));
        }
        next.0 = due + self.every_us;
        Ok(())
    }
}

/// When the next one would be due at the steady rate, in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NextDue(i64);

/// One pace for many: users, rooms.
pub(crate) struct Paced<K> {
    pace: Pace,
    due: Mutex<HashMap<K, NextDue>>,
}

impl<K: Eq + Hash> Paced<K> {
    /// Past this, those who have been quiet are forgotten.
    const SWEEP_AT: usize = 10_000;

    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, due: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn admit(&self, who: K, now: Timestamp) -> Result<(), Duration> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.len() >= Self::SWEEP_AT && due.len() == due.capacity() {
            due.retain(|_, next| next.0 > now.as_millis().saturating_mul(1000));
        }
        self.pace.admit(due.entry(who).or_default(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_steady_rate() {
        let pace = Pace::per_second(10);
        let mut next = NextDue::default();
        let start = Timestamp::from_millis(1_000_000);

        let at_once = (0..100).filter(|_| pace.admit(&mut next, start).is_ok()).count();
        let in_a_second =
            (0..1000).filter(|ms| pace.admit(&mut next, start + Duration::from_millis(*ms)).is_ok()).count();

        assert_eq!(at_once, 20);
        assert!((9..=10).contains(&in_a_second), "{in_a_second}");
    }

    #[test]
    fn a_clock_that_is_put_back_holds_nobody_up() {
        let pace = Pace::per_second(10);
        let mut next = NextDue::default();
        let start = Timestamp::from_millis(1_000_000);
        while pace.admit(&mut next, start).is_ok() {}

        let earlier = start - Duration::from_secs(60);

        assert_eq!(pace.admit(&mut next, earlier), Ok(()));
        assert!((0..100).any(|_| pace.admit(&mut next, earlier).is_err()), "the pace still holds");
    }

    #[test]
    fn a_refusal_says_when_to_try_again() {
        let paced = Paced::new(Pace::one_every(Duration::from_secs(3)));
        let start = Timestamp::from_millis(5_000);

        assert_eq!(paced.admit("ann", start), Ok(()));
        assert_eq!(paced.admit("ann", start + Duration::from_secs(1)), Err(Duration::from_secs(2)));
        assert_eq!(paced.admit("bob", start), Ok(()));
        assert_eq!(paced.admit("ann", start + Duration::from_secs(3)), Ok(()));
    }
}
