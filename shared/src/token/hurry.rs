//! Redis as a hurry: a word to the other processes that the blacklist is another.
//!
//! The list itself is in the database, and every copy of it is younger than [`REVOCATION_LAG`](super::REVOCATION_LAG)
//! whatever becomes of Redis. Where there is one, whoever revokes says so there after the commit, and whoever hears it
//! reads at once: in milliseconds nobody accepts the token any more, and open WebSockets close. A word that is lost costs
//! no more than that.
//!
//! SECURITY: a word holds nothing. Who can write to Redis makes no token valid and ends nobody's session.

use std::{sync::Weak, time::Duration};

use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, RedisError,
    aio::{MultiplexedConnection, PubSub},
    cmd,
};
use futures_util::StreamExt as _;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::verify::{Inner, Verifier};
use crate::{config::redis_url::one_of, secret::Secret};

const CHANNEL: &str = "irongate:revocations";

/// How long any answer of Redis may take.
const WAIT: Duration = Duration::from_millis(500);

/// Between two attempts to connect: twice as long each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Between two readings for words of others: a crowd that signs out is read of together.
const GATHERING: Duration = Duration::from_millis(5);

/// A connection that brings no word for so long is made anew: a machine that vanished says nothing either.
const SILENCE: Duration = Duration::from_secs(60);

/// The way to the others; its two tasks end with it.
pub(super) struct Hurry {
    /// One word that waits says as much as many.
    words: mpsc::Sender<()>,
    _over: DropGuard,
}

impl Hurry {
    /// Connects to nothing yet: Redis may come up later.
    ///
    /// # Errors
    /// The URL names something that the client library cannot reach.
    pub(super) fn start(url: &Secret<Url>, verifier: Weak<Inner>) -> Result<Self, RedisError> {
        // In a cluster, what is published at one node is heard at all of them.
        let client = Client::open(one_of(url.expose()).as_str())?;
        let (words, told) = mpsc::channel(1);
        let over = CancellationToken::new();
        tokio::spawn(tell(client.clone(), told));
        tokio::spawn(over.clone().run_until_cancelled_owned(listen(client, verifier)));
        Ok(Self { words, _over: over.drop_guard() })
    }

    /// Tells the others, soon and if Redis is there. Waits for nothing.
    pub(super) fn tell(&self) {
        let _ = self.words.try_send(());
    }
}

async fn tell(client: Client, mut words: mpsc::Receiver<()>) {
    let mut connection = None;
    while words.recv().await.is_some() {
        if connection.is_none() {
            connection = connect(&client).await;
        }
        let Some(open) = &mut connection else { continue };
        if !matches!(timeout(WAIT, publish(open)).await, Ok(Ok(()))) {
            // It may have been closed while nobody had anything to say.
            connection = connect(&client).await;
            if let Some(open) = &mut connection {
                let _ = timeout(WAIT, publish(open)).await;
            }
        }
    }
}

async fn connect(client: &Client) -> Option<MultiplexedConnection> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(WAIT)).set_response_timeout(Some(WAIT));
    client.get_multiplexed_async_connection_with_config(&config).await.ok()
}

async fn publish(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    cmd("PUBLISH").arg(CHANNEL).arg("").query_async(connection).await
}

/// Never ends by itself: see [`Hurry`].
async fn listen(client: Client, verifier: Weak<Inner>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match subscribed(&client).await {
            Ok(words) => {
                pause = FIRST_PAUSE;
                hear(words, &verifier).await;
            }
            Err(why) => tracing::debug!(reason = why, "no word of revocations from Redis"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn subscribed(client: &Client) -> Result<PubSub, String> {
    let connect = async {
        let mut words = client.get_async_pubsub().await?;
        words.subscribe(CHANNEL).await?;
        Ok::<_, RedisError>(words)
    };
    match timeout(WAIT, connect).await {
        Ok(subscribed) => subscribed.map_err(|why| why.to_string()),
        Err(_) => Err(format!("no answer within {WAIT:?}")),
    }
}

/// Reads at every word, until there is no connection.
async fn hear(words: PubSub, verifier: &Weak<Inner>) {
    let mut words = words.into_on_message().ready_chunks(256);
    while let Ok(Some(_)) = timeout(SILENCE, words.next()).await {
        let Some(verifier) = verifier.upgrade().map(Verifier) else { return };
        verifier.look_again().await;
        drop(verifier);
        tokio::time::sleep(GATHERING).await;
    }
}
