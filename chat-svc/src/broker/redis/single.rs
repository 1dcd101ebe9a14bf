//! One server of Redis, with classic pub/sub.

use std::time::Duration;

use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, Msg,
    aio::{MultiplexedConnection, PubSubSink, PubSubStream},
    pipe,
};
use futures_util::StreamExt as _;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, timeout},
};
use url::Url;

use super::{DEAD, DOUBT, EVERYBODY, Ear, Outgoing, Over, PAUSE, PULSE, SILENCE, WAIT, channel_of};

/// Words of one pipeline.
const PIPELINE: usize = 512;

pub(super) fn start(url: &Url, ear: Ear, words: mpsc::Receiver<Outgoing>) -> anyhow::Result<()> {
    let client = Client::open(url.as_str())?;
    tokio::spawn(publish(client.clone(), words));
    tokio::spawn(Listener { client, ear, heard: Instant::now(), beat: 0 }.run());
    Ok(())
}

/// Publishes until the [`Redis`](super::Redis) is gone.
async fn publish(client: Client, mut words: mpsc::Receiver<Outgoing>) {
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
    client: Client,
    ear: Ear,
    /// When the last pulse came back.
    heard: Instant,
    beat: u64,
}

impl Listener {
    async fn run(mut self) {
        let mut pause = PAUSE;
        loop {
            match timeout(WAIT, self.client.get_async_pubsub()).await {
                Ok(Ok(connection)) => {
                    pause = PAUSE;
                    let (sink, stream) = connection.split();
                    if let Over::Done = self.listen(sink, stream).await {
                        return;
                    }
                    self.ear.went_down().await;
                }
                Ok(Err(why)) => tracing::debug!(reason = %why, "Redis is away"),
                Err(_) => tracing::debug!("Redis does not answer"),
            }
            if let Over::Done = self.ear.wait(pause).await {
                return;
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn listen(&mut self, mut sink: PubSubSink, mut stream: PubSubStream) -> Over {
        let own = format!("chat:v1:hc:{}", self.ear.us);
        let mut channels: Vec<_> = self.ear.rooms.iter().map(|room| channel_of(*room)).collect();
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
                order = self.ear.ordered.recv() => match order {
                    Some(order) => self.ear.obey(
                        order,
                        |channel| subscribe(sink.clone(), channel),
                        |channel| unsubscribe(sink.clone(), channel),
                    ),
                    None => return Over::Done,
                },
                _ = pulse.tick() => {
                    self.beat += 1;
                    self.ear.pulse(&own, self.beat);
                    let silence = self.heard.elapsed();
                    if silence > DEAD {
                        return Over::Lost;
                    }
                    if silence > DOUBT {
                        self.ear.distrust().await;
                    }
                    if silence > SILENCE {
                        self.ear.went_down().await;
                    }
                }
            }
        }
    }

    async fn take(&mut self, message: &Msg) {
        let beat = self.ear.take(message.get_channel_name(), message.get_payload_bytes());
        if beat == Some(self.beat) {
            self.heard = Instant::now();
            self.ear.went_up().await;
        }
    }
}

async fn subscribe(mut sink: PubSubSink, channel: String) -> bool {
    matches!(timeout(WAIT, sink.subscribe(channel)).await, Ok(Ok(())))
}

async fn unsubscribe(mut sink: PubSubSink, channel: String) {
    let _ = timeout(WAIT, sink.unsubscribe(channel)).await;
}
