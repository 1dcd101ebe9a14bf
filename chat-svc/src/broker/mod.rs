//! How replicas hear of each other's events. A hint, never a promise: whatever is lost here the hub finds in the
//! database, so a broker that is away costs latency and nothing else.

use irongate_shared::id::UserId;
use tokio::sync::mpsc;

use crate::room::{Event, RoomId, Seq};

/// What replicas tell each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// An event, committed.
    Event(Event),
    /// The log reaches to here at least.
    Reached(RoomId, Seq),
    /// The room was deleted.
    Gone(RoomId),
    /// Typing and the like: of this moment, in no log.
    Passing { room: RoomId, frame: bytestring::ByteString },
    /// For one user's sockets.
    Notice { user: UserId, frame: bytestring::ByteString },
}

/// What the broker tells the hub.
#[derive(Debug)]
pub(crate) enum Heard {
    Word(Word),
    /// Everything subscribed to is heard from now on; what was said before may have been missed.
    Up,
    /// Nothing is heard until the next `Up`.
    Down,
}

/// The way to the other replicas.
pub(crate) enum Broker {
    /// There are none: one process, or a database that they poll.
    Alone,
}

/// How the hub learns what it was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// This process writes everything that there is.
    Alone,
    /// Others write too, and are heard.
    Up,
    /// Others write too, and are not heard.
    Down,
}

impl Broker {
    pub(crate) fn link(&self) -> Link {
        match self {
            Self::Alone => Link::Alone,
        }
    }

    /// Tells the other replicas. Never waits; what does not fit the queue is dropped.
    pub(crate) fn publish(&self, _word: Word) {
        match self {
            Self::Alone => {}
        }
    }

    /// Returns once the room's words are heard, or when the broker is away.
    pub(crate) fn subscribe(&self, _room: RoomId) -> impl Future<Output = ()> + Send + use<> {
        std::future::ready(())
    }

    pub(crate) fn unsubscribe(&self, _room: RoomId) {
        match self {
            Self::Alone => {}
        }
    }
}

/// A broker without others.
pub(crate) fn alone() -> (Broker, mpsc::Receiver<Heard>) {
    let (_, heard) = mpsc::channel(1);
    (Broker::Alone, heard)
}
