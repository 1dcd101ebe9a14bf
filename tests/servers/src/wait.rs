//! Waiting for a condition, with a deadline that says what was waited for.

use std::time::{Duration, Instant};

/// Between two looks: short enough not to be felt, long enough not to keep a core busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Blocks until `condition` holds. For plain (not async) tests.
///
/// # Panics
///
/// When `deadline` has passed, naming `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, condition: impl FnMut() -> bool) {
    assert!(comes_true(deadline, condition), "waited {deadline:?} in vain: {what}");
}

/// Whether `condition` holds before `deadline` has passed, for a caller with more to say than a name.
pub(crate) fn comes_true(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > deadline {
            return false;
        }
        pause();
    }
    true
}

/// Like [`wait_until`] for async tests: the condition may await, and the runtime goes on meanwhile.
///
/// # Panics
///
/// When `deadline` has passed, naming `what` was waited for.
pub async fn eventually<F>(what: &str, deadline: Duration, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "blocks the thread of a plain test, which has nothing else to do"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "in vain: pigs to fly")]
    fn a_deadline_says_what_was_waited_for() {
        wait_until("pigs to fly", Duration::from_millis(50), || false);
    }
}
