//! How long a connection has had nothing to do.

use std::{
    future::Future as _,
    pin::Pin,
    task::Context,
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};

/// One timer for the whole life of a connection: it is looked at when it rings, and set again when something
/// happened meanwhile. Setting a timer for every pause between two requests would cost each of them.
pub(super) struct Idle {
    limit: Duration,
    since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: Box::pin(sleep(limit)) }
    }

    /// Begins anew with another limit.
    pub(super) fn restart(&mut self, limit: Duration) {
        self.limit = limit;
        self.since = None;
        self.timer.as_mut().reset(tokio::time::Instant::now() + limit);
    }

    /// No longer than `limit` from now on, unless the limit is shorter.
    pub(super) fn shorten(&mut self, limit: Duration) {
        self.restart(limit.min(self.limit));
    }

    /// The limit from now on.
    pub(super) fn set_limit(&mut self, limit: Duration) {
        if self.limit != limit {
            self.restart(limit);
        }
    }

    /// There is something to do.
    pub(super) fn interrupt(&mut self) {
        self.since = None;
    }

    /// There is nothing to do: whether it has been so for too long.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
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
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

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
            over(&mut idle).await;
            assert!(since.elapsed() >= limit);
        }
    }

    async fn over(idle: &mut Idle) {
        poll_fn(|cx| if idle.is_over(cx) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending })
            .await;
    }
}
