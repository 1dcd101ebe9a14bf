//! What waits to be sent to one socket, bounded in bytes: frames as they go over the wire, which the sockets of a room
//! share. The body of the handshake's answer takes from it; see [`Wire`](super::Wire).

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_http::ws::{Codec, Message};
use actix_web::web::{Bytes, BytesMut};
use bytestring::ByteString;
use tokio::{sync::Notify, time::Instant};
use tokio_util::codec::Encoder as _;

use super::close::Close;

/// What an entry costs besides its frame.
const OVERHEAD: usize = 64;

/// How long a reader may take nothing of what waits before it counts as stalled.
const STALL: Duration = Duration::from_secs(10);

/// Why nothing more is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client is to hear why.
    Close(Close),
    /// The connection is gone.
    Lost,
}

/// One socket's queue; lives on the socket's thread.
pub(super) struct Outbox {
    queue: RefCell<VecDeque<Bytes>>,
    bytes: Cell<usize>,
    /// What may wait; beyond, the reader is too slow and resumes later from the database, which has no such bound.
    /// Half of it is for live events: replays wait for it, and what may be lost is dropped.
    most: usize,
    end: Cell<Option<End>>,
    /// Nothing comes after what waits.
    finished: Cell<bool>,
    /// Whoever sends, while there is nothing to send.
    sender: Cell<Option<Waker>>,
    drained: Notify,
    ending: Notify,
    /// Frames that were taken, ever; and how many it was, and when, when somebody looked and found it moving.
    taken: Cell<u64>,
    seen: Cell<(u64, Instant)>,
}

/// A text message as it goes over the wire.
pub(super) fn text(text: ByteString) -> Bytes {
    encoded(Message::Text(text))
}

pub(super) fn encoded(message: Message) -> Bytes {
    let mut bytes = BytesMut::new();
    // Only pieces of messages can be refused, and none are sent.
    let _ = Codec::new().encode(message, &mut bytes);
    bytes.freeze()
}

impl Outbox {
    pub(super) fn holding(most: usize) -> Self {
        Self {
            queue: RefCell::default(),
            bytes: Cell::new(0),
            most,
            end: Cell::new(None),
            finished: Cell::new(false),
            sender: Cell::new(None),
            drained: Notify::new(),
            ending: Notify::new(),
            taken: Cell::new(0),
            seen: Cell::new((0, Instant::now())),
        }
    }

    /// Queues a frame; a reader that has let too much pile up is closed instead.
    pub(super) fn push(&self, frame: Bytes) {
        if self.end.get().is_some() {
            return;
        }
        let bytes = self.bytes.get() + OVERHEAD + frame.len();
        if bytes > self.most {
            return self.end(Close::Slow);
        }
        self.put(frame, bytes);
    }

    fn put(&self, frame: Bytes, bytes: usize) {
        self.bytes.set(bytes);
        self.queue.borrow_mut().push_back(frame);
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    /// Queues a text for this socket alone.
    pub(super) fn say(&self, words: ByteString) {
        self.push(text(words));
    }

    /// Queues what may be lost, unless the reader is behind; says whether.
    pub(super) fn push_passing(&self, frame: Bytes) -> bool {
        let fits = self.bytes.get() < self.most / 2;
        if fits {
            self.push(frame);
        }
        fits
    }

    /// Queues once there is room beside live events.
    pub(super) async fn say_patiently(&self, words: ByteString) {
        while self.bytes.get() >= self.most / 2 && self.end.get().is_none() {
            self.drained.notified().await;
        }
        self.say(words);
    }

    /// Closes now: what waits is not sent.
    pub(super) fn end(&self, why: Close) {
        if self.end.get().is_none() {
            self.queue.borrow_mut().clear();
            self.bytes.set(0);
        }
        self.end_after(why);
    }

    /// Closes once all that waits is sent.
    pub(super) fn end_after(&self, why: Close) {
        self.end_with(End::Close(why));
    }

    /// The connection is gone.
    pub(super) fn lose(&self) {
        self.end_with(End::Lost);
    }

    fn end_with(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
            self.ending.notify_one();
        }
        self.drained.notify_waiters();
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) -> End {
        loop {
            if let Some(end) = self.end.get() {
                return end;
            }
            self.ending.notified().await;
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.get().is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Queues the last frame of all, and waits until everything is sent.
    pub(super) async fn part(&self, last: Bytes) {
        self.put(last, self.bytes.get());
        self.emptied().await;
    }

    /// Waits until nothing waits.
    pub(super) async fn emptied(&self) {
        while !self.is_empty() && self.end.get() != Some(End::Lost) {
            self.drained.notified().await;
        }
    }

    /// Lets the sender end the connection.
    pub(super) fn finish(&self) {
        self.finished.set(true);
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    /// The next frame to send; `None` when there will be none.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut queue = self.queue.borrow_mut();
        let Some(frame) = queue.pop_front() else {
            // A burst must not keep its memory: most sockets are idle most of the time.
            if queue.capacity() > 64 {
                queue.shrink_to_fit();
            }
            if self.finished.get() {
                return Poll::Ready(None);
            }
            self.sender.set(Some(cx.waker().clone()));
            return Poll::Pending;
        };
        self.bytes.set(self.bytes.get().saturating_sub(OVERHEAD + frame.len()));
        self.taken.set(self.taken.get() + 1);
        if self.bytes.get() < self.most / 2 {
            // Any of the replays that wait may go on; each checks again.
            self.drained.notify_waiters();
        }
        Poll::Ready(Some(frame))
    }

    /// Whether the reader has taken nothing for too long; to be asked now and then.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        let (taken, since) = self.seen.get();
        if self.is_empty() || taken != self.taken.get() {
            self.seen.set((self.taken.get(), now));
            return false;
        }
        now.duration_since(since) > STALL
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const MOST: usize = 256 << 10;

    fn frame(length: usize) -> Bytes {
        vec![b'x'; length].into()
    }

    fn taken(outbox: &Outbox) -> Option<Bytes> {
        match outbox.poll_next(&Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame,
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_reader_that_lets_too_much_pile_up_is_closed() {
        let outbox = Outbox::holding(MOST);

        for _ in 0..3 {
            outbox.push(frame(80_000));
        }
        assert!(!outbox.has_ended());
        outbox.push(frame(80_000));

        assert_eq!(outbox.ended().await, End::Close(Close::Slow));
        assert_eq!(taken(&outbox), None);
    }

    #[test]
    fn what_may_be_lost_is_lost_before_anybody_is_closed() {
        let outbox = Outbox::holding(MOST);
        outbox.push(frame(MOST / 2));

        assert!(!outbox.push_passing(text("typing".into())));
        assert!(!outbox.has_ended());
        taken(&outbox);
        assert!(outbox.push_passing(text("typing".into())));
    }

    #[tokio::test]
    async fn a_replay_waits_for_room() {
        let outbox = Outbox::holding(MOST);
        outbox.push(frame(MOST / 2));

        let waiting = outbox.say_patiently("replayed".into());
        let drain = async {
            tokio::task::yield_now().await;
            taken(&outbox);
        };
        tokio::join!(waiting, drain);

        assert_eq!(taken(&outbox), Some(text("replayed".into())));
    }

    #[tokio::test]
    async fn what_waits_goes_before_the_last_word_and_nothing_after_it() {
        let outbox = Outbox::holding(MOST);
        outbox.push(frame(1));
        outbox.end_after(Close::Drain);
        outbox.push(frame(2));

        assert_eq!(outbox.ended().await, End::Close(Close::Drain));
        let parting = outbox.part(frame(3));
        let send = async {
            tokio::task::yield_now().await;
            [taken(&outbox), taken(&outbox), taken(&outbox)]
        };
        let ((), sent) = tokio::join!(parting, send);

        assert_eq!(sent, [Some(frame(1)), Some(frame(3)), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_reader_that_takes_nothing_of_what_waits_is_stalled() {
        let outbox = Outbox::holding(MOST);
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);

        assert!(!outbox.is_stalled(later(100)));
        outbox.push(frame(1));
        outbox.push(frame(1));
        assert!(!outbox.is_stalled(later(109)));
        taken(&outbox);
        assert!(!outbox.is_stalled(later(115)));
        assert!(!outbox.is_stalled(later(124)));
        assert!(outbox.is_stalled(later(126)));
    }
}
