//! Somebody who goes on writing whatever breaks, the gateway itself included.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;

use super::{Answer, LIMIT, Person, Site};

/// A room of one writer, and what was acknowledged there.
pub(crate) struct Conversation<'a, S> {
    site: &'a S,
    writer: &'a Person,
    path: String,
    client: Client,
    acknowledged: Vec<String>,
    pub(crate) refused: usize,
    pub(crate) longest: Duration,
}

impl<'a, S: Site> Conversation<'a, S> {
    pub(crate) fn in_room(site: &'a S, writer: &'a Person, room: &str) -> Self {
        Self {
            site,
            writer,
            path: format!("/chat/rooms/{room}/messages"),
            client: site.browserlike(),
            acknowledged: Vec::new(),
            refused: 0,
            longest: Duration::ZERO,
        }
    }

    /// Writes the next message. As a client must do, it is sent again under its own name until it is acknowledged.
    pub(crate) async fn write(&mut self) {
        let number = self.acknowledged.len();
        let body = format!("page {number}");
        let message = json!({"cid": format!("page-{number}"), "body": body});
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < LIMIT, "{body} is not acknowledged");
            let request = self.client.post(self.site.url(&self.path)).bearer_auth(&self.writer.token);
            match request.json(&message).send().await {
                Ok(answer) if answer.status() == 201 => break,
                Ok(answer) => {
                    let answer = Answer::read(body.clone(), answer).await;
                    assert!(matches!(answer.status.as_u16(), 502..=504), "{answer}");
                    self.refused += 1;
                }
                // The gateway itself is away.
                Err(_) => {
                    self.client = self.site.browserlike();
                    self.refused += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.longest = self.longest.max(began.elapsed());
        self.acknowledged.push(body);
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Everything acknowledged stands in the room, once and in order, and nothing else does.
    pub(crate) async fn is_complete(&self) {
        let mut stored = Vec::new();
        let mut after = 0;
        loop {
            let path = format!("{}?after={after}&limit=100", self.path);
            let page = self.writer.get(self.site, &path).await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            let Some(last) = items.last() else { break };
            after = last["seq"].as_u64().unwrap();
            stored.extend(items.iter().map(|message| message["body"].as_str().unwrap().to_owned()));
        }
        assert_eq!(stored, self.acknowledged);
    }
}
