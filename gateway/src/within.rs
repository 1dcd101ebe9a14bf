//! Time limits that cost nothing where there is nothing to wait for.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{error::Elapsed, timeout};

/// As [`timeout`], but the clock is asked and a timer made only when `future` is not ready at once, which most
/// writes and many reads are.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        return Ok(done);
    }
    timeout(limit, future).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_ready_needs_no_time_and_what_is_not_gets_its_limit() {
        assert_eq!(within(Duration::ZERO, async { 1 }).await, Ok(1));
        let slow = tokio::time::sleep(Duration::from_millis(5));
        assert!(within(Duration::from_secs(20), slow).await.is_ok());
        assert!(within(Duration::from_millis(5), std::future::pending::<()>()).await.is_err());
    }
}
