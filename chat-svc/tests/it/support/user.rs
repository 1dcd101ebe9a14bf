//! A user over HTTP.

use irongate_shared::id::{SessionId, UserId};
use reqwest::Method;
use serde_json::{Value, json};

use super::Socket;

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) http: reqwest::Client,
    /// The replica that this user speaks to.
    pub(crate) base: String,
    pub(crate) id: UserId,
    pub(crate) session: SessionId,
    pub(crate) token: String,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }
}

impl User {
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
        Answer { status, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    /// Makes a room; says its id.
    pub(crate) async fn create_room(&self, kind: &str, name: &str) -> String {
        let room = self.post("/chat/rooms", json!({ "kind": kind, "name": name })).await.expect(201);
        room["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn join_room(&self, room: &str) {
        self.ask(Method::PUT, &format!("/chat/rooms/{room}/members/me"), None).await.expect(200);
    }

    /// Sends over HTTP; says the message.
    pub(crate) async fn send(&self, room: &str, body: &str) -> Value {
        let cid = uuid::Uuid::now_v7().to_string();
        self.post(&format!("/chat/rooms/{room}/messages"), json!({ "cid": cid, "body": body }))
            .await
            .expect(201)
    }

    /// The bodies of the newest messages, oldest first.
    pub(crate) async fn bodies(&self, room: &str) -> Vec<String> {
        let page = self.get(&format!("/chat/rooms/{room}/messages")).await.expect(200);
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| item["body"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The same user at another replica.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub(crate) async fn connect(&self) -> Socket {
        Socket::open(&self.base, &self.token).await.expect("the WebSocket opens")
    }
}
