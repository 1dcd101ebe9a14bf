//! Somebody who uses the system by its API.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{Answer, Chat, Site};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A person with a browser's cookies; signed in once [`sign_in`](Self::sign_in) is through.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) token: String,
    client: Client,
}

impl Person {
    pub(crate) fn new(site: &impl Site, name: &str) -> Self {
        Self { name: name.to_owned(), token: String::new(), client: site.browserlike() }
    }

    pub(crate) async fn register(&self, site: &impl Site) -> Answer {
        let Self { name, .. } = self;
        let person = json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD});
        self.send(site, Method::POST, "/user/register", Some(&person)).await
    }

    /// Signs in as a browser does: the access token in hand, the refresh token in a cookie.
    pub(crate) async fn sign_in(mut self, site: &impl Site) -> Self {
        let login = json!({"username": self.name, "password": PASSWORD});
        let granted = self.send(site, Method::POST, "/auth/login", Some(&login)).await.expect(200).json();
        self.token = granted["access_token"].as_str().unwrap().to_owned();
        self
    }

    /// A fresh access token for the refresh token in the cookie.
    pub(crate) async fn refresh(&self, site: &impl Site) -> Answer {
        self.send(site, Method::POST, "/auth/refresh", Some(&json!({}))).await
    }

    pub(crate) async fn get(&self, site: &impl Site, path: &str) -> Answer {
        self.send(site, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, site: &impl Site, path: &str, json: &Value) -> Answer {
        self.send(site, Method::POST, path, Some(json)).await
    }

    pub(crate) async fn put(&self, site: &impl Site, path: &str) -> Answer {
        self.send(site, Method::PUT, path, None).await
    }

    pub(crate) async fn send(
        &self,
        site: &impl Site,
        method: Method,
        path: &str,
        json: Option<&Value>,
    ) -> Answer {
        let url = site.url(path);
        let mut request = self.client.request(method.clone(), &url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(json) = json {
            request = request.json(json);
        }
        let line = format!("{method} {url} as {}", self.name);
        Answer::read(line.clone(), request.send().await.unwrap_or_else(|why| panic!("{line}: {why:?}"))).await
    }

    /// Creates a public room and gives its id.
    pub(crate) async fn create_room(&self, site: &impl Site, name: &str) -> String {
        let room = self.post(site, "/chat/rooms", &json!({"kind": "public", "name": name})).await.expect(201);
        room.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn join(&self, site: &impl Site, room: &str) {
        self.put(site, &format!("/chat/rooms/{room}/members/me")).await.expect(200);
    }

    /// An open WebSocket, greeted.
    pub(crate) async fn chat(&self, site: &impl Site) -> Chat {
        Chat::open(site, &self.token).await
    }
}
