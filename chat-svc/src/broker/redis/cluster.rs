//! A cluster of Redis, with sharded pub/sub: a room's words go through the one node that holds the room's slot, so that
//! nodes divide the load.
//!
//! Each node can fail by itself. So there are many pulses, spread over the slots, and a connection counts as good only
//! while all of them come back. The connection is never mended: whenever a part of it was lost a new one subscribes to
//! everything, and only then is anything said to be heard.

use std::time::Duration;

use deadpool_redis::redis::{
    ProtocolVersion, PushInfo, PushKind, Value,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cluster_routing::Slot,
    cmd,
};
use futures_util::{StreamExt as _, stream, stream::FuturesUnordered};
use irongate_shared::config::redis_url::nodes_of;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, timeout},
};
use url::Url;

use super::{DEAD, DOUBT, EVERYBODY, Ear, Outgoing, Over, PAUSE, PULSE, SILENCE, WAIT, channel_of, room_of};
use crate::broker::Heard;

/// Pulses, evenly over the slots: a node that holds an eighth of them in a row is surely asked whether it is heard.
const PULSES: u16 = 16;

const SLOTS: u16 = 16_384;

/// Words, or subscriptions, on their way at once.
const AT_ONCE: usize = 512;

/// Pushes that may wait for the listener. More are lost, a pulse among them sooner or later: then all begins anew.
const PUSHES: usize = 8_192;

pub(super) fn start(url: &Url, ear: Ear, words: mpsc::Receiver<Outgoing>) -> anyhow::Result<()> {
    let nodes = nodes_of(url)?;
    // What no address can be is told at the start.
    ClusterClient::new(nodes.clone())?;
    let (announce, connection) = watch::channel(None);
    tokio::spawn(publish(words, connection));
    let pulses = pulses(&ear.us.to_string());
    let listener = Listener { heard: vec![None; pulses.len()], ear, nodes, announce, pulses, beat: 0 };
    tokio::spawn(listener.run());
    Ok(())
}

/// One channel in each of as many stretches of slots.
fn pulses(us: &str) -> Vec<String> {
    let stretch = SLOTS / PULSES;
    let slots = (0..PULSES).map(|number| number * stretch);
    slots
        .filter_map(|first| {
            let wanted = (first..first + stretch).filter_map(Slot::new).collect::<Vec<_>>();
            let mut names = (0_u32..).map(|salt| format!("chat:v1:hc:{us}:{salt}"));
            names.find(|name| wanted.contains(&Slot::for_key(name)))
        })
        .collect()
}

/// Publishes by the connection that the listener has until the [`Redis`](super::Redis) is gone.
async fn publish(
    mut words: mpsc::Receiver<Outgoing>,
    connection: watch::Receiver<Option<ClusterConnection>>,
) {
    let mut on_their_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            word = words.recv(), if on_their_way.len() < AT_ONCE => {
                let Some((channel, bytes)) = word else { return };
                // Without a connection nobody hears: the others read the database.
                let Some(mut connection) = connection.borrow().clone() else { continue };
                on_their_way.push(async move {
                    let mut publish = cmd("SPUBLISH");
                    publish.arg(channel).arg(bytes);
                    let _ = timeout(WAIT, publish.query_async::<()>(&mut connection)).await;
                });
            }
            Some(()) = on_their_way.next() => {}
        }
    }
}

struct Listener {
    ear: Ear,
    nodes: Vec<Url>,
    /// To the publisher.
    announce: watch::Sender<Option<ClusterConnection>>,
    pulses: Vec<String>,
    beat: u64,
    /// When each pulse came back over this connection last.
    heard: Vec<Option<Instant>>,
}

impl Listener {
    async fn run(mut self) {
        let mut pause = PAUSE;
        loop {
            match timeout(WAIT * 5, self.connect()).await {
                Ok(Ok((connection, pushes))) => {
                    self.announce.send_replace(Some(connection.clone()));
                    let over = self.listen(&connection, pushes).await;
                    self.announce.send_replace(None);
                    if self.ear.up {
                        pause = PAUSE;
                    }
                    self.ear.went_down().await;
                    if let Over::Done = over {
                        return;
                    }
                }
                Ok(Err(why)) => tracing::debug!(reason = %why, "the cluster of Redis is away"),
                Err(_) => tracing::debug!("the cluster of Redis does not answer"),
            }
            if let Over::Done = self.ear.wait(pause).await {
                return;
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn connect(&self) -> anyhow::Result<(ClusterConnection, mpsc::Receiver<PushInfo>)> {
        let (push, pushes) = mpsc::channel(PUSHES);
        let client = ClusterClientBuilder::new(self.nodes.clone())
            .use_protocol(ProtocolVersion::RESP3)
            .push_sender(move |info| push.try_send(info))
            .connection_timeout(WAIT)
            .response_timeout(WAIT)
            .build()?;
        Ok((client.get_async_connection().await?, pushes))
    }

    async fn listen(&mut self, connection: &ClusterConnection, mut pushes: mpsc::Receiver<PushInfo>) -> Over {
        let mut channels: Vec<_> = self.ear.rooms.iter().map(|room| channel_of(*room)).collect();
        channels.extend(self.pulses.iter().cloned().chain([EVERYBODY.to_owned()]));
        let mut subscribing = stream::iter(channels)
            .map(|channel| subscribe(connection.clone(), channel))
            .buffer_unordered(AT_ONCE);
        while let Some(subscribed) = subscribing.next().await {
            if !subscribed {
                return Over::Lost;
            }
        }
        drop(subscribing);

        self.heard.fill(None);
        let began = Instant::now();
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                push = pushes.recv() => match push {
                    Some(push) => if let Some(over) = self.take(connection, &push).await { return over },
                    None => return Over::Lost,
                },
                order = self.ear.ordered.recv() => match order {
                    Some(order) => self.ear.obey(
                        order,
                        |channel| subscribe(connection.clone(), channel),
                        |channel| unsubscribe(connection.clone(), channel),
                    ),
                    None => return Over::Done,
                },
                _ = pulse.tick() => {
                    self.beat += 1;
                    for channel in &self.pulses {
                        self.ear.pulse(channel, self.beat);
                    }
                    let silence = self.heard.iter().map(|heard| heard.unwrap_or(began).elapsed()).max();
                    if silence > Some(if self.ear.up { SILENCE } else { DEAD }) {
                        return Over::Lost;
                    }
                    if silence > Some(DOUBT) {
                        self.ear.distrust().await;
                    }
                }
            }
        }
    }

    async fn take(&mut self, connection: &ClusterConnection, push: &PushInfo) -> Option<Over> {
        let channel = push.data.first().and_then(text);
        match (&push.kind, channel, push.data.get(1)) {
            (PushKind::SMessage, Some(channel), Some(Value::BulkString(bytes))) => {
                let beat = self.ear.take(channel, bytes);
                // Younger than the doubt, however slow the way was.
                if beat.is_some_and(|beat| self.beat.saturating_sub(beat) < 3)
                    && let Some(at) = self.pulses.iter().position(|pulse| pulse == channel)
                    && let Some(heard) = self.heard.get_mut(at)
                {
                    *heard = Some(Instant::now());
                    let fresh = |heard: &Option<Instant>| heard.is_some_and(|at| at.elapsed() < DOUBT);
                    if self.heard.iter().all(fresh) {
                        self.ear.went_up().await;
                    }
                }
                None
            }
            (PushKind::SUnsubscribe, Some(channel), _) if self.wants(channel) => {
                self.follow(connection.clone(), channel.to_owned());
                None
            }
            // A node's connection; what it would have said since is lost.
            (PushKind::Disconnection, ..) => Some(Over::Lost),
            _ => None,
        }
    }

    fn wants(&self, channel: &str) -> bool {
        channel == EVERYBODY
            || self.pulses.iter().any(|pulse| pulse == channel)
            || room_of(channel).is_some_and(|room| self.ear.rooms.contains(&room))
    }

    /// After a channel whose slot has moved to another node.
    fn follow(&self, connection: ClusterConnection, channel: String) {
        let tell = self.ear.trusted.then(|| self.ear.tell.clone());
        tokio::spawn(async move {
            if subscribe(connection, channel).await
                && let Some(tell) = tell
            {
                // What was said on the way is in the database.
                let _ = tell.send(Heard::Up).await;
            }
        });
    }
}

async fn subscribe(mut connection: ClusterConnection, channel: String) -> bool {
    matches!(timeout(WAIT, connection.ssubscribe(channel)).await, Ok(Ok(())))
}

async fn unsubscribe(mut connection: ClusterConnection, channel: String) {
    let _ = timeout(WAIT, connection.sunsubscribe(channel)).await;
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_holds_an_eighth_of_the_slots_has_a_pulse() {
        let pulses = pulses("us");

        let asked: Vec<_> = pulses.iter().map(Slot::for_key).collect();
        let at = (0..SLOTS).filter(|slot| Slot::new(*slot).is_some_and(|slot| asked.contains(&slot)));
        let mut behind = 0;
        for slot in at.chain([SLOTS]) {
            assert!(slot - behind <= SLOTS / 8, "none from {behind} to {slot}");
            behind = slot;
        }
        assert_eq!(pulses.len(), usize::from(PULSES));
    }
}
