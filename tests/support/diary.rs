//! Somebody who writes while things break, and remembers what was acknowledged.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use irongate_test_servers::eventually;
use serde_json::json;

use super::{Answer, LIMIT, Person, System};

/// A room of one writer. What a client must do is done here: a message is sent again, under its own name, until it is
/// acknowledged.
pub(crate) struct Diary<'a> {
    system: &'a System,
    writer: &'a Person,
    pub(crate) room: String,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    written: usize,
    /// By the name that the writer gave it: its number in the room.
    acknowledged: BTreeMap<String, u64>,
    refused: usize,
}

impl<'a> Diary<'a> {
    pub(crate) async fn open(system: &'a System, writer: &'a Person) -> Self {
        let room = writer.create_room(system, "diary").await;
        Self { system, writer, room, pages: Mutex::default() }
    }

    /// Writes the next message until it is acknowledged. Whatever is not, is refused as unavailable.
    pub(crate) async fn write(&self) {
        let cid = self.next_page();
        eventually("a message to be acknowledged", LIMIT, || async {
            self.offer(&cid, &cid).await.status == 201
        })
        .await;
    }

    /// Sends a message once.
    pub(crate) async fn offer(&self, cid: &str, body: &str) -> Answer {
        let path = format!("/chat/rooms/{}/messages", self.room);
        let answer = self.writer.post(self.system, &path, &json!({"cid": cid, "body": body})).await;
        if answer.status == 201 {
            let seq = answer.json()["seq"].as_u64().unwrap();
            let before = self.pages().acknowledged.insert(cid.to_owned(), seq);
            assert!(before.is_none_or(|before| before == seq), "{cid} was {before:?}: {answer}");
        } else {
            answer.unavailable();
            self.pages().refused += 1;
        }
        answer
    }

    /// Writes on and on while `trouble` takes its course.
    pub(crate) async fn written_during(&self, trouble: impl Future<Output = ()>) {
        let writing = async {
            loop {
                self.write().await;
                // As somebody types, rather than as fast as the machine can: it has other things to do.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = trouble => {}
            () = writing => {}
        }
        // What was cut off above may be stored; sent again, it is the same message.
        let last = format!("page-{}", self.pages().written);
        eventually("the last message to be acknowledged", LIMIT, || async {
            self.offer(&last, &last).await.status == 201
        })
        .await;
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.pages().acknowledged.len()
    }

    pub(crate) fn refused(&self) -> usize {
        self.pages().refused
    }

    /// Waits until more is acknowledged than there is.
    pub(crate) async fn goes_on(&self) {
        let before = self.acknowledged();
        eventually("another message to be acknowledged", LIMIT, || async { self.acknowledged() > before })
            .await;
    }

    /// Everything acknowledged stands in the room, once, under the number that was named, and nothing else does.
    pub(crate) async fn is_complete(&self) {
        let mut found = BTreeMap::new();
        let mut after = 0;
        loop {
            let path = format!("/chat/rooms/{}/messages?after={after}&limit=100", self.room);
            let page = self.writer.get(self.system, &path).await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            let Some(last) = items.last() else { break };
            after = last["seq"].as_u64().unwrap();
            for message in items {
                let cid = message["cid"].as_str().unwrap().to_owned();
                let twice = found.insert(cid, message["seq"].as_u64().unwrap());
                assert!(twice.is_none(), "stands twice: {message}");
            }
        }
        assert_eq!(found, self.pages().acknowledged);
    }

    fn next_page(&self) -> String {
        let mut pages = self.pages();
        pages.written += 1;
        format!("page-{}", pages.written)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap()
    }
}
