//! A request's body on the full lane: how much of it there may be, and how slowly it may come.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    exchange::BodyPace,
    wire::{Framing, RequestHead},
};

/// The request's body on its way. A client that drips it holds a connection of the service, as long as that waits for
/// it; once an answer began, how the two go on is theirs to know.
pub(super) struct Upload {
    pub(super) pace: BodyPace,
    between: Duration,
    /// Complete, or answered.
    pub(super) over: bool,
}

impl Upload {
    pub(super) fn new(limit: u64, between: Duration, head: &RequestHead) -> Self {
        let mut pace = BodyPace::new();
        pace.limit = limit;
        Self { pace, between, over: head.framing == Framing::None }
    }

    fn patience(&mut self) -> Duration {
        if self.over { self.between } else { self.pace.patience(self.between) }
    }

    pub(super) fn is_slow(&mut self) -> bool {
        !self.over && self.patience().is_zero()
    }
}

/// Resolves when the body stands still for too long.
pub(super) async fn stalled(upload: &Mutex<Upload>) {
    loop {
        let (wait, before) = {
            let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
            (upload.patience(), upload.pace.read)
        };
        tokio::time::sleep(wait).await;
        let upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
        if upload.over {
            break;
        }
        if upload.pace.read == before {
            return;
        }
    }
    std::future::pending::<()>().await;
}
