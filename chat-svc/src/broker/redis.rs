//! Redis as the broker: classic pub/sub, one channel a room.
//!
//! Two tasks. The publisher sends what is queued in pipelines. The listener owns the subscriptions: it knows that it
//! hears by hearing itself (a pulse several times a second, published like everything else), so a Redis that accepts
//! and stalls counts as away as much as one that refuses.

use std::{collections::HashSet, time::Duration};

use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Msg, RedisError,
    aio::{MultiplexedConnection, PubSubSink, PubSubStream},
    pipe,
};
use futures_util::StreamExt as _;
use irongate_shared::secret::Secret;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, timeout},
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

/// Words of one pipeline.
const PIPELINE: usize = 512;

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

const CHANNEL: &str = "chat:v1:r:";

/// What concerns users and not rooms.
const EVERYBODY: &str = "chat:v1:all";

enum Order {
    Subscribe(RoomId, oneshot::Sender<()>),
    Unsubscribe(RoomId),
}

/// The way to the two tasks, which end with it.
pub(crate) struct Redis {
    us: Uuid,
    out: mpsc::Sender<(String, Vec<u8>)>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Redis {
    pub(super) fn start(
        url: &Secret<Url>,
        metrics: &Metrics,
        tell: mpsc::Sender<Heard>,
    ) -> anyhow::Result<Self> {
        let client = Client::open(url.expose().as_str())?;
        let us = Uuid::now_v7();
        let (out, words) = mpsc::channel(QUEUE);
        let (orders, ordered) = mpsc::unbounded_channel();
        tokio::spawn(publish(client.clone(), words));
        let listener = Listener {
            us,
            client,
            out: out.downgrade(),
            ordered,
            rooms: HashSet::new(),
            tell,
            metrics: metrics.clone(),
            up: false,
            trusted: false,
            heard: Instant::now(),
            beat: 0,
        };
        tokio::spawn(listener.run());
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

/// Publishes until the [`Redis`] is gone.
async fn publish(client: Client, mut words: mpsc::Receiver<(String, Vec<u8>)>) {
    let mut connection: Option<MultiplexedConnection> = None;
    let mut taken = Vec::with_capacity(PIPELINE);
    while words.recv_many(&mut taken, PIPELINE).await > 0 {
        if connection.is_none() {
            connection = connect(&client).await;
        }
        let sent = match &mut connection {
            Some(connection) => {
                let mut pipeline = pipe();
                for (channel, bytes) in &taken {
                    pipeline.cmd("PUBLISH").arg(channel).arg(bytes).ignore();
                }
                timeout(WAIT, pipeline.query_async::<()>(connection)).await.is_ok_and(|sent| sent.is_ok())
            }
            None => false,
        };
        taken.clear();
        if !sent {
            connection = None;
            // What waits meanwhile is old when Redis is back: the others have read it by then.
            tokio::time::sleep(Duration::from_millis(100)).await;
            while words.try_recv().is_ok() {}
        }
    }
}

async fn connect(client: &Client) -> Option<MultiplexedConnection> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(WAIT)).set_response_timeout(Some(WAIT));
    client.get_multiplexed_async_connection_with_config(&config).await.ok()
}

struct Listener {
    us: Uuid,
    client: Client,
    /// Weak: the publisher ends with the [`Redis`], not with us.
    out: mpsc::WeakSender<(String, Vec<u8>)>,
    ordered: mpsc::UnboundedReceiver<Order>,
    rooms: HashSet<RoomId>,
    tell: mpsc::Sender<Heard>,
    metrics: Metrics,
    /// Whether operators are told that Redis carries events.
    up: bool,
    /// Whether the hub relies on what it hears.
    trusted: bool,
    /// When the last pulse came back.
    heard: Instant,
    beat: u64,
}

/// Why a connection is given up.
enum Over {
    Lost,
    /// The [`Redis`] is gone.
    Done,
}

impl Listener {
    async fn run(mut self) {
        let mut pause = Duration::from_millis(50);
        loop {
            match timeout(WAIT, self.client.get_async_pubsub()).await {
                Ok(Ok(connection)) => {
                    pause = Duration::from_millis(50);
                    let (sink, stream) = connection.split();
                    if let Over::Done = self.listen(sink, stream).await {
                        return;
                    }
                    self.went_down().await;
                }
                Ok(Err(why)) => tracing::debug!(reason = %why, "Redis is away"),
                Err(_) => tracing::debug!("Redis does not answer"),
            }
            if let Over::Done = self.wait(pause).await {
                return;
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

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

    async fn listen(&mut self, mut sink: PubSubSink, mut stream: PubSubStream) -> Over {
        let own = format!("chat:v1:hc:{}", self.us);
        let mut channels: Vec<_> = self.rooms.iter().map(|room| channel_of(*room)).collect();
        channels.extend([own.clone(), EVERYBODY.to_owned()]);
        match timeout(WAIT * 5, sink.subscribe(channels)).await {
            Ok(Ok(())) => {}
            _ => return Over::Lost,
        }
        self.heard = Instant::now();
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => self.take(&message).await,
                    None => return Over::Lost,
                },
                order = self.ordered.recv() => match order {
                    Some(order) => self.obey(order, &sink),
                    None => return Over::Done,
                },
                _ = pulse.tick() => {
                    self.beat += 1;
                    if let Some(out) = self.out.upgrade() {
                        let _ = out.try_send((own.clone(), envelope::pulse(self.us, self.beat)));
                    }
                    let silence = self.heard.elapsed();
                    if silence > DEAD {
                        return Over::Lost;
                    }
                    if silence > DOUBT {
                        self.distrust().await;
                    }
                    if silence > SILENCE {
                        self.went_down().await;
                    }
                }
            }
        }
    }

    fn obey(&mut self, order: Order, sink: &PubSubSink) {
        let mut sink = sink.clone();
        match order {
            Order::Subscribe(room, done) => {
                self.rooms.insert(room);
                // A Redis that stalls must not hold up joins: the room's end is polled until it is back.
                let done = self.trusted.then_some(done);
                tokio::spawn(async move {
                    let subscribed: Result<Result<(), RedisError>, _> =
                        timeout(WAIT, sink.subscribe(channel_of(room))).await;
                    if !matches!(subscribed, Ok(Ok(()))) {
                        tracing::debug!(%room, "a room could not be subscribed to; its end is polled");
                    }
                    if let Some(done) = done {
                        let _ = done.send(());
                    }
                });
            }
            Order::Unsubscribe(room) => {
                self.rooms.remove(&room);
                tokio::spawn(async move {
                    let _ = timeout(WAIT, sink.unsubscribe(channel_of(room))).await;
                });
            }
        }
    }

    async fn take(&mut self, message: &Msg) {
        let room = message.get_channel_name().strip_prefix(CHANNEL).and_then(|room| room.parse().ok());
        match envelope::read(self.us, room, message.get_payload_bytes()) {
            Some(Letter::Word(word)) => {
                // Never waited for: Redis ends the connection of a listener that falls behind.
                let _ = self.tell.try_send(Heard::Word(word));
            }
            Some(Letter::Pulse(beat)) if beat == self.beat => {
                self.heard = Instant::now();
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
            Some(Letter::Pulse(_)) | None => {}
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
