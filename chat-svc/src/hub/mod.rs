//! The hub: the one place of a replica where a room's events are put in order and given to the workers.
//!
//! ```text
//! lanes ──news──▶ ┌─────┐ ──deliveries──▶ worker 0: its sockets
//! broker ─words─▶ │ hub │ ──deliveries──▶ worker 1: its sockets
//! database ◀─reads┴─────┘
//! ```
//!
//! For each room that a worker watches it keeps `next`, the seq that comes next, and one rule: an event with that seq
//! goes out; an earlier one was there already; a later one is held, and what lies between is read from the database
//! if it does not come by itself in a moment. A lost *last* event leaves no gap to see, so the ends of all watched
//! rooms are compared with the database every so often (`tail_every`.

mod order;
mod task;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytestring::ByteString;
use irongate_shared::id::UserId;
use tokio::sync::{mpsc, oneshot};

pub(crate) use task::Task;

use crate::room::{Event, Refused, RoomId, Seq};

/// Deliveries that may wait for a worker. It takes them without waiting for anything, so they hardly do.
const DELIVERIES: usize = 16_384;

/// Typing and the like that may wait for the hub; more is dropped.
const PASSING: usize = 1_024;

/// What a worker gets.
#[derive(Debug, Clone)]
pub(crate) enum Delivery {
    /// The next event of a room.
    Event(Arc<Event>),
    /// The room was deleted.
    Gone(RoomId),
    Passing {
        room: RoomId,
        frame: ByteString,
    },
    Notice {
        user: UserId,
        frame: ByteString,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkerId(usize);

/// What workers ask of the hub.
enum Ask {
    Attach(WorkerId, mpsc::Sender<Delivery>),
    Watch {
        worker: WorkerId,
        room: RoomId,
        answer: oneshot::Sender<Result<Seq, Refused>>,
    },
    Unwatch {
        worker: WorkerId,
        room: RoomId,
    },
    /// A socket of the user begins to follow a room that its worker watches; the answer is who else is there.
    Enter {
        room: RoomId,
        user: UserId,
        answer: oneshot::Sender<Vec<UserId>>,
    },
    Leave {
        room: RoomId,
        user: UserId,
    },
    Present {
        room: RoomId,
        answer: oneshot::Sender<Vec<UserId>>,
    },
    Renamed {
        user: UserId,
        frame: ByteString,
    },
}

/// Something of this moment: seen by who is there, kept nowhere.
pub(crate) struct Passing {
    pub room: RoomId,
    pub frame: ByteString,
}

/// The way to the hub. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub {
    /// Unbounded by type; each socket waits for its answer before it asks again for the same room.
    asks: mpsc::UnboundedSender<Ask>,
    passing: mpsc::Sender<Passing>,
    workers: Arc<AtomicUsize>,
}

impl Hub {
    /// Registers a worker; its deliveries begin with the first room that it watches.
    pub(crate) fn attach(&self) -> (WorkerId, mpsc::Receiver<Delivery>) {
        let worker = WorkerId(self.workers.fetch_add(1, Ordering::Relaxed));
        let (sender, deliveries) = mpsc::channel(DELIVERIES);
        // Without a hub the process is ending.
        let _ = self.asks.send(Ask::Attach(worker, sender));
        (worker, deliveries)
    }

    /// From the answer on, the worker gets every event of the room after the seq that it holds, in order.
    pub(crate) async fn watch(&self, worker: WorkerId, room: RoomId) -> Result<Seq, Refused> {
        let stopping = || Refused::Unavailable("the service is stopping".to_owned());
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Watch { worker, room, answer }).map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    pub(crate) fn unwatch(&self, worker: WorkerId, room: RoomId) {
        let _ = self.asks.send(Ask::Unwatch { worker, room });
    }

    /// Somebody follows a room now; says who is there. Without a hub nobody is.
    pub(crate) async fn enter(&self, room: RoomId, user: UserId) -> Vec<UserId> {
        let (answer, answered) = oneshot::channel();
        let _ = self.asks.send(Ask::Enter { room, user, answer });
        answered.await.unwrap_or_default()
    }

    /// Takes back one [`Hub::enter`].
    pub(crate) fn leave(&self, room: RoomId, user: UserId) {
        let _ = self.asks.send(Ask::Leave { room, user });
    }

    /// Who is in a room, as far as this replica knows: it hears of rooms that somebody follows here.
    pub(crate) async fn present(&self, room: RoomId) -> Vec<UserId> {
        let (answer, answered) = oneshot::channel();
        let _ = self.asks.send(Ask::Present { room, answer });
        answered.await.unwrap_or_default()
    }

    /// Tells all who follow a room that shows this user's name, on all replicas, what it is now.
    pub(crate) fn renamed(&self, user: UserId, frame: ByteString) {
        let _ = self.asks.send(Ask::Renamed { user, frame });
    }

    /// Passes something on to all who follow it now, on all replicas; says whether there was place for it.
    pub(crate) fn pass(&self, passing: Passing) -> bool {
        self.passing.try_send(passing).is_ok()
    }
}
