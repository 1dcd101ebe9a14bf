//! How long a connection or a tunnel has had nothing to do.

use std::{
    future::{Future as _, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};

/// One timer for the whole life of a connection: it is looked at when it rings, and set again when something
/// happened meanwhile. Setting a timer for every pause between two requests would cost each of them.
pub(crate) struct Idle {
    limit: Duration,
    since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: Box::pin(sleep(limit)) }
    }

    /// Begins anew with another limit.
    pub(crate) fn restart(&mut self, limit: Duration) {
        self.limit = limit;
        self.since = None;
        self.timer.as_mut().reset(tokio::time::Instant::now() + limit);
    }

    /// No longer than `limit` from now on, unless the limit is shorter.
    pub(crate) fn shorten(&mut self, limit: Duration) {
        self.restart(limit.min(self.limit));
    }

    /// The limit from now on.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        if self.limit != limit {
            self.restart(limit);
        }
    }

    /// There is something to do.
    pub(crate) fn interrupt(&mut self) {
        self.since = None;
    }

    /// There is nothing to do: whether it has been so for too long.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        while self.timer.as_mut().poll(cx).is_ready() {
            let due = since + self.limit;
            if Instant::now() >= due {
                return true;
            }
            self.timer.as_mut().reset(due.into());
        }
        false
    }

    /// Resolves when there was nothing to do for too long.
    pub(crate) async fn over(&mut self) {
        poll_fn(|cx| if self.is_over(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_over_when_nothing_happened_for_so_long_and_not_before() {
        let limit = Duration::from_millis(50);
        let mut idle = Idle::new(limit);
        // The timer rings in a time that had something in it, more than once.
        for _ in 0..2 {
            tokio::time::sleep(limit).await;
            idle.interrupt();
            let since = Instant::now();
            idle.over().await;
            assert!(since.elapsed() >= limit);
        }
    }
}
