//! What waits to be sent to one socket, bounded in bytes.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use bytestring::ByteString;
use tokio::sync::Notify;

use super::close::Close;

/// What may wait; beyond, the reader is too slow and resumes later from the database, which has no such bound.
const MOST_BYTES: usize = 256 << 10;

/// Half of it is for live events: replays wait for it, and what may be lost is dropped.
const HALF: usize = MOST_BYTES / 2;

/// What an entry costs besides its text.
const OVERHEAD: usize = 64;

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Out {
    Text(ByteString),
    Ping,
    Pong(bytes::Bytes),
    /// Close once all before it is sent.
    Close(Close),
}

impl Out {
    fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Self::Text(text) => text.len(),
                Self::Ping | Self::Pong(_) | Self::Close(_) => 0,
            }
    }
}

/// One socket's queue; lives on the socket's thread.
#[derive(Default)]
pub(super) struct Outbox {
    queue: RefCell<VecDeque<Out>>,
    bytes: Cell<usize>,
    /// Set once: close now, whatever waits.
    ended: Cell<Option<Close>>,
    filled: Notify,
    drained: Notify,
    ending: Notify,
}

impl Outbox {
    /// Queues it; a reader that has let too much pile up is closed instead.
    pub(super) fn push(&self, out: Out) {
        if self.ended.get().is_some() {
            return;
        }
        let bytes = self.bytes.get() + out.cost();
        if bytes > MOST_BYTES {
            return self.end(Close::Slow);
        }
        self.bytes.set(bytes);
        self.queue.borrow_mut().push_back(out);
        self.filled.notify_one();
    }

    /// Queues what may be lost, unless the reader is behind; says whether.
    pub(super) fn push_passing(&self, frame: ByteString) -> bool {
        let fits = self.bytes.get() < HALF;
        if fits {
            self.push(Out::Text(frame));
        }
        fits
    }

    /// Queues once there is room beside live events.
    pub(super) async fn push_patiently(&self, frame: ByteString) {
        while self.bytes.get() >= HALF && self.ended.get().is_none() {
            self.drained.notified().await;
        }
        self.push(Out::Text(frame));
    }

    pub(super) fn pop(&self) -> Option<Out> {
        let mut queue = self.queue.borrow_mut();
        let out = queue.pop_front();
        match &out {
            Some(out) => self.bytes.set(self.bytes.get() - out.cost()),
            // A burst must not keep its memory: most sockets are idle most of the time.
            None if queue.capacity() > 64 => queue.shrink_to_fit(),
            None => {}
        }
        if self.bytes.get() < HALF {
            // Any of the replays that wait may go on; each checks again.
            self.drained.notify_waiters();
        }
        out
    }

    /// Closes now: what waits is not sent.
    pub(super) fn end(&self, why: Close) {
        if self.ended.get().is_none() {
            self.ended.set(Some(why));
            self.filled.notify_one();
            self.ending.notify_one();
            self.drained.notify_waiters();
        }
    }

    pub(super) fn ended(&self) -> Option<Close> {
        self.ended.get()
    }

    /// Waits until something is to be sent or the end has come.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Waits for [`Outbox::end`].
    pub(super) async fn ending(&self) {
        self.ending.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Out {
        Out::Text("x".repeat(length).into())
    }

    #[test]
    fn a_reader_that_lets_too_much_pile_up_is_closed() {
        let outbox = Outbox::default();

        for _ in 0..3 {
            outbox.push(text(80_000));
        }
        assert_eq!(outbox.ended(), None);
        outbox.push(text(80_000));

        assert_eq!(outbox.ended(), Some(Close::Slow));
    }

    #[test]
    fn what_may_be_lost_is_lost_before_anybody_is_closed() {
        let outbox = Outbox::default();
        outbox.push(text(HALF));

        assert!(!outbox.push_passing("typing".into()));
        assert_eq!(outbox.ended(), None);
        outbox.pop();
        assert!(outbox.push_passing("typing".into()));
    }

    #[tokio::test]
    async fn a_replay_waits_for_room() {
        let outbox = Outbox::default();
        outbox.push(text(HALF));

        let waiting = outbox.push_patiently("replayed".into());
        let drain = async {
            tokio::task::yield_now().await;
            outbox.pop();
        };
        tokio::join!(waiting, drain);

        assert_eq!(outbox.pop(), Some(Out::Text("replayed".into())));
    }
}
