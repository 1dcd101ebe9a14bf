//! Redis as the broker, one channel a room: classic pub/sub at one server (`single.rs`), sharded pub/sub over a cluster
//! (`cluster.rs`). The URL's scheme says which.
//!
//! Either way there are two tasks. The publisher sends what is queued. The listener owns the subscriptions: it knows
//! that it hears by hearing itself (a pulse several times a second, published like everything else), so a Redis that accepts
//! and stalls counts as away as much as one that refuses.

mod cluster;
mod single;

use std::{collections::HashSet, time::Duration};

use irongate_shared::{config::redis_url::CLUSTER, secret::Secret};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use url::Url;
use uuid::Uuid;

use super::{
    Heard, Word,
    envelope::{self, Letter},
};
use crate::{metrics::Metrics, room::RoomId};

/// Words that may wait to be published; while Redis is away they are dropped here.
const QUEUE: usize = 8_192;

/// How long any answer of Redis may take.
const WAIT: Duration = Duration::from_millis(1_000);

const PULSE: Duration = Duration::from_millis(150);

/// Without a pulse for so long the database is asked, to be sure: whoever was removed from a room at another replica
/// must hear no more after a second. A busy Redis is that slow now and then, and nobody needs to know.
const DOUBT: Duration = Duration::from_millis(450);

/// Without a pulse for so long Redis is said to be away.
const SILENCE: Duration = Duration::from_millis(1_500);

/// Without a pulse for so long the connection is given up for a new one.
const DEAD: Duration = Duration::from_secs(5);

/// Before the first new attempt to connect; it grows up to a second.
const PAUSE: Duration = Duration::from_millis(50);

const CHANNEL: &str = "chat:v1:r:";

/// What concerns users and not rooms.
const EVERYBODY: &str = "chat:v1:all";

/// A channel, and what goes there.
type Outgoing = (String, Vec<u8>);

enum Order {
    Subscribe(RoomId, oneshot::Sender<()>),
    Unsubscribe(RoomId),
}

/// The way to the two tasks, which end with it.
pub(crate) struct Redis {
    us: Uuid,
    out: mpsc::Sender<Outgoing>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Redis {
    pub(super) fn start(
        url: &Secret<Url>,
        metrics: &Metrics,
        tell: mpsc::Sender<Heard>,
    ) -> anyhow::Result<Self> {
        let us = Uuid::now_v7();
        let (out, words) = mpsc::channel(QUEUE);
        let (orders, ordered) = mpsc::unbounded_channel();
        let ear = Ear {
            us,
            // Weak: the publisher ends with the `Redis`, not with the listener.
            out: out.downgrade(),
            ordered,
            rooms: HashSet::new(),
            tell,
            metrics: metrics.clone(),
            up: false,
            trusted: false,
        };
        match url.expose().scheme() {
            CLUSTER => cluster::start(url.expose(), ear, words)?,
            _ => single::start(url.expose(), ear, words)?,
        }
        Ok(Self { us, out, orders })
    }

    pub(super) fn name(&self) -> Uuid {
        self.us
    }

    pub(super) fn publish(&self, word: &Word) {
        let channel = match word {
            Word::Event(event) => channel_of(event.room),
            Word::Reached(room, _)
            | Word::Gone(room)
            | Word::WhoIsThere(room)
            | Word::Passing { room, .. }
            | Word::Presence { room, .. }
            | Word::Present { room, .. } => channel_of(*room),
            Word::Notice { .. } | Word::Renamed { .. } => EVERYBODY.to_owned(),
        };
        // Full means that Redis is away or far behind; the others read the database then.
        let _ = self.out.try_send((channel, envelope::word(self.us, word)));
    }

    pub(super) fn subscribe(&self, room: RoomId) -> impl Future<Output = ()> + Send + use<> {
        let (done, subscribed) = oneshot::channel();
        let _ = self.orders.send(Order::Subscribe(room, done));
        async move {
            let _ = subscribed.await;
        }
    }

    pub(super) fn unsubscribe(&self, room: RoomId) {
        let _ = self.orders.send(Order::Unsubscribe(room));
    }
}

fn channel_of(room: RoomId) -> String {
    format!("{CHANNEL}{room}")
}

fn room_of(channel: &str) -> Option<RoomId> {
    channel.strip_prefix(CHANNEL)?.parse().ok()
}

/// Why a connection is given up.
enum Over {
    Lost,
    /// The [`Redis`] is gone.
    Done,
}

/// What a listener wants to hear, and what it has told the hub.
struct Ear {
    us: Uuid,
    out: mpsc::WeakSender<Outgoing>,
    ordered: mpsc::UnboundedReceiver<Order>,
    rooms: HashSet<RoomId>,
    tell: mpsc::Sender<Heard>,
    metrics: Metrics,
    /// Whether operators are told that Redis carries events.
    up: bool,
    /// Whether the hub relies on what it hears.
    trusted: bool,
}

impl Ear {
    /// Takes orders for a while without a connection.
    async fn wait(&mut self, pause: Duration) -> Over {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Over::Lost,
                order = self.ordered.recv() => match order {
                    Some(Order::Subscribe(room, done)) => {
                        self.rooms.insert(room);
                        let _ = done.send(());
                    }
                    Some(Order::Unsubscribe(room)) => {
                        self.rooms.remove(&room);
                    }
                    None => return Over::Done,
                },
            }
        }
    }

    /// Does what is asked over a connection; `subscribe` says whether it worked.
    fn obey<S, U>(
        &mut self,
        order: Order,
        subscribe: impl FnOnce(String) -> S,
        unsubscribe: impl FnOnce(String) -> U,
    ) where
        S: Future<Output = bool> + Send + 'static,
        U: Future<Output = ()> + Send + 'static,
    {
        match order {
            Order::Subscribe(room, done) => {
                self.rooms.insert(room);
                // A Redis that stalls must not hold up joins: the room's end is polled until it is back.
                let done = self.trusted.then_some(done);
                let subscribing = subscribe(channel_of(room));
                tokio::spawn(async move {
                    if !subscribing.await {
                        tracing::debug!(%room, "a room could not be subscribed to; its end is polled");
                    }
                    if let Some(done) = done {
                        let _ = done.send(());
                    }
                });
            }
            Order::Unsubscribe(room) => {
                self.rooms.remove(&room);
                tokio::spawn(unsubscribe(channel_of(room)));
            }
        }
    }

    /// Passes on what came on a channel; the number of a pulse of our own.
    fn take(&self, channel: &str, bytes: &[u8]) -> Option<u64> {
        match envelope::read(self.us, room_of(channel), bytes)? {
            Letter::Word(word) => {
                // Never waited for: Redis ends the connection of a listener that falls behind.
                let _ = self.tell.try_send(Heard::Word(word));
                None
            }
            Letter::Pulse(beat) => Some(beat),
        }
    }

    fn pulse(&self, channel: &str, beat: u64) {
        if let Some(out) = self.out.upgrade() {
            let _ = out.try_send((channel.to_owned(), envelope::pulse(self.us, beat)));
        }
    }

    async fn went_up(&mut self) {
        if !self.trusted {
            self.trusted = true;
            let _ = self.tell.send(Heard::Up).await;
        }
        if !self.up {
            self.up = true;
            self.metrics.broker_up.set(1);
            tracing::info!("Redis carries events");
        }
    }

    async fn distrust(&mut self) {
        if self.trusted {
            self.trusted = false;
            let _ = self.tell.send(Heard::Down).await;
        }
    }

    async fn went_down(&mut self) {
        self.distrust().await;
        if self.up {
            self.up = false;
            self.metrics.broker_up.set(0);
            tracing::warn!("Redis carries no events; the database is asked instead");
        }
    }
}
