//! How replicas hear of each other's events. A hint, never a promise: whatever is lost here the hub finds in the
//! database, so a broker that is away costs latency and nothing else.

mod envelope;
mod redis;

#[cfg(test)]
pub(crate) use envelope::fuzz as fuzz_envelope;

use bytestring::ByteString;
use irongate_shared::{id::UserId, secret::Secret};
use tokio::sync::mpsc;
use url::Url;
use uuid::Uuid;

use crate::{
    metrics::Metrics,
    presence::Change,
    room::{Event, RoomId, Seq},
};

/// Words that may wait for the hub; more is dropped, and the hub finds it in the database.
const HEARD: usize = 8_192;

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
    Passing { room: RoomId, frame: ByteString },
    /// For one user's sockets.
    Notice { user: UserId, frame: ByteString },
    /// Somebody is called otherwise.
    Renamed { user: UserId, frame: ByteString },
    /// Somebody follows a room at a replica, or no more.
    Presence { replica: Uuid, room: RoomId, change: Change },
    /// A replica begins to hear of a room, and asks the others who is there.
    WhoIsThere(RoomId),
    /// All who follow a room at a replica.
    Present { replica: Uuid, room: RoomId, users: Vec<UserId> },
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

/// How the hub learns what it was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// This process writes everything that there is.
    Alone,
    /// Others write too, and are heard.
    Up,
    /// Others may write too, and are not heard.
    Down,
}

/// The way to the other replicas.
pub(crate) enum Broker {
    /// None are heard; the link says whether there may be any.
    None(Link),
    Redis(redis::Redis),
}

impl Broker {
    /// Without Redis. Who shares a database that others can reach cannot know to be alone.
    pub(crate) fn none(shared_database: bool) -> (Self, mpsc::Receiver<Heard>) {
        let (_, heard) = mpsc::channel(1);
        let link = if shared_database { Link::Down } else { Link::Alone };
        (Self::None(link), heard)
    }

    /// Through Redis; it may be away at the start. Its tasks end with the broker.
    ///
    /// # Errors
    /// The URL is none that the client library can reach.
    pub(crate) fn redis(
        url: &Secret<Url>,
        metrics: &Metrics,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Heard>)> {
        let (tell, heard) = mpsc::channel(HEARD);
        Ok((Self::Redis(redis::Redis::start(url, metrics, tell)?), heard))
    }

    /// What this replica calls itself towards the others.
    pub(crate) fn name(&self) -> Uuid {
        match self {
            Self::None(_) => Uuid::nil(),
            Self::Redis(redis) => redis.name(),
        }
    }

    /// How things stand before the first `Up`.
    pub(crate) fn link(&self) -> Link {
        match self {
            Self::None(link) => *link,
            Self::Redis(_) => Link::Down,
        }
    }

    /// Tells the other replicas. Never waits; what does not fit the queue is dropped.
    pub(crate) fn publish(&self, word: &Word) {
        match self {
            Self::None(_) => {}
            Self::Redis(redis) => redis.publish(word),
        }
    }

    /// Returns once the room's words are heard, or when the broker is away.
    pub(crate) fn subscribe(&self, room: RoomId) -> impl Future<Output = ()> + Send + use<> {
        let subscribed = match self {
            Self::None(_) => None,
            Self::Redis(redis) => Some(redis.subscribe(room)),
        };
        async move {
            if let Some(subscribed) = subscribed {
                subscribed.await;
            }
        }
    }

    pub(crate) fn unsubscribe(&self, room: RoomId) {
        match self {
            Self::None(_) => {}
            Self::Redis(redis) => redis.unsubscribe(room),
        }
    }
}
