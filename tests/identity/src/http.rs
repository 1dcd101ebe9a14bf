//! Requests and answers, in the words of the people who make them.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::Installation;

/// The password of everybody who is registered without another.
const PASSWORD: &str = "correct horse battery staple";

/// A session, as a browser or another client holds it.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub access: String,
    pub refresh: String,
    pub user: Value,
}

/// A request that is being put together.
pub struct Call<'app> {
    app: &'app Installation,
    method: Method,
    path: String,
    replica: usize,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked, for the message of a failed test.
    asked: String,
    pub status: u16,
    pub headers: header::HeaderMap,
    /// `Null` when there is none.
    pub body: Value,
}

impl Installation {
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub fn patch(&self, path: &str) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    pub fn put(&self, path: &str) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call { app: self, method, path: path.to_owned(), replica: 0, headers: Vec::new(), body: None }
    }

    /// Registers somebody with the address `name@example.org` and the usual password; their user document.
    pub async fn register(&self, name: &str) -> Value {
        let registration =
            json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        self.post("/user/register").json(registration).send().await.expect(201).body
    }

    /// Registers an administrator, as the command line does; their user document.
    pub async fn register_admin(&self, name: &str) -> Value {
        let new = irongate_user_svc::NewAdmin {
            username: name.to_owned(),
            email: format!("{name}@example.org"),
            password: PASSWORD.to_owned(),
        };
        let user = irongate_user_svc::create_admin(&self.platform, new).await;
        serde_json::to_value(user.expect("an administrator is made")).expect("JSON")
    }

    /// Signs somebody in with the usual password, the refresh token in the body.
    pub async fn sign_in(&self, name: &str) -> SignedIn {
        let login = json!({ "username": name, "password": PASSWORD, "refresh": "body" });
        self.post("/auth/login").json(login).send().await.expect(200).signed_in()
    }

    /// Somebody new, who is signed in.
    pub async fn register_and_sign_in(&self, name: &str) -> SignedIn {
        self.register(name).await;
        self.sign_in(name).await
    }

    /// Refreshes with a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/auth/refresh").json(json!({ "refresh_token": token })).send().await
    }

    /// The status of asking user-svc who one is: 200 while the access token is accepted.
    pub async fn accepts(&self, session: &SignedIn) -> u16 {
        self.get("/user/me").by(session).send().await.status
    }
}

impl Call<'_> {
    #[must_use]
    pub fn by(self, session: &SignedIn) -> Self {
        self.bearer(&session.access)
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks another than the first of several services.
    #[must_use]
    pub fn replica(mut self, replica: usize) -> Self {
        self.replica = replica;
        self
    }

    pub async fn send(self) -> Answer {
        let asked = format!(
            "{} {} {}",
            self.method,
            self.path,
            self.body.as_ref().map(Value::to_string).unwrap_or_default()
        );
        let mut request = self.app.client.request(self.method, self.app.url(&self.path, self.replica));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|why| panic!("{asked}: {why}"));
        Answer::of(&asked, answer).await
    }
}

impl Answer {
    /// The answer to a request that was made without [`Call`].
    pub async fn of(asked: &str, answer: reqwest::Response) -> Self {
        let asked = asked.to_owned();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap_or_else(|why| panic!("{asked}: {why}"));
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { asked, status, headers, body }
    }

    /// The answer, if it has the status that the test is about.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\nwas answered: {}", self.asked, self.body);
        if status >= 400 {
            assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.asked);
        }
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The value of the cookie that is set, without its attributes.
    pub fn cookie(&self) -> Option<&str> {
        self.header("set-cookie")?.split(';').next()
    }

    /// The session that the answer hands over.
    pub fn signed_in(&self) -> SignedIn {
        let field = |name: &str| self.body.get(name).cloned().unwrap_or_default();
        let text = |name: &str| field(name).as_str().unwrap_or_default().to_owned();
        SignedIn { access: text("access_token"), refresh: text("refresh_token"), user: field("user") }
    }
}
