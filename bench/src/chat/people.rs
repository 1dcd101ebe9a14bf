//! Users of our services: tokens as auth-svc signs them, and what they do over HTTP before anything is measured.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use diesel::prelude::*;
use irongate_shared::{
    clock::Clock,
    config::DatabaseUrl,
    db::Db,
    id::{SessionId, TokenId, UserId},
};
use serde_json::{Value, json};

use crate::{load::own::client::Client, process::wait_for};

/// The issuer of tokens: what the services under test are told as `GATEWAY_URL`.
pub(crate) const GATEWAY: &str = "https://bench.test";
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any run.
const LIFE: Duration = Duration::from_secs(3600);

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        public_key -> Binary,
        private_key -> Binary,
        created_at_ms -> BigInt,
        expires_at_ms -> BigInt,
    }
}

/// A key that signs tokens, and that the database knows.
pub(crate) struct Signer(jsonwebtoken::EncodingKey);

/// Somebody with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) token: String,
}

impl Signer {
    /// Makes a key, and writes it into the tables of a service that has started.
    pub(crate) fn install(database: &DatabaseUrl) -> anyhow::Result<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok().context("making a key")?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).ok().context("reading a key")?;
        let mut db = Db::open(database).context("the database of the service")?;
        // The key of an earlier round.
        diesel::delete(signing_keys::table.find("bench")).execute(&mut db).context("removing a key")?;
        diesel::insert_into(signing_keys::table)
            .values((
                signing_keys::kid.eq("bench"),
                signing_keys::public_key.eq(pair.public_key().as_ref().to_vec()),
                signing_keys::private_key.eq(Vec::<u8>::new()),
                signing_keys::created_at_ms.eq(0i64),
                signing_keys::expires_at_ms.eq(i64::MAX),
            ))
            .execute(&mut db)
            .context("storing a key")?;
        Ok(Self(jsonwebtoken::EncodingKey::from_ed_der(document.as_ref())))
    }

    /// Takes the key out of the tables again: an auth-svc cannot open the private half, and would sign nothing.
    pub(crate) fn withdraw(self, database: &DatabaseUrl) -> anyhow::Result<()> {
        let mut db = Db::open(database).context("the database of the service")?;
        diesel::delete(signing_keys::table.find("bench")).execute(&mut db).context("removing a key")?;
        Ok(())
    }

    pub(crate) fn person(&self, name: &str) -> anyhow::Result<Person> {
        let now = Clock::system().now();
        let claims = json!({
            "iss": GATEWAY,
            "aud": "irongate",
            "sub": UserId::new(),
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": (now + LIFE).as_secs(),
            "jti": TokenId::new(),
            "sid": SessionId::new(),
            "scope": "",
            "roles": ["user"],
            "preferred_username": name,
            "name": name,
        });
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = Some("bench".to_owned());
        header.typ = Some("at+jwt".to_owned());
        Ok(Person { token: jsonwebtoken::encode(&header, &claims, &self.0)? })
    }
}

/// A connection to a service, for what has to be done before the measuring.
pub(crate) struct Line {
    runtime: tokio::runtime::Runtime,
    client: Client,
    address: SocketAddr,
}

impl Line {
    pub(crate) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(Client::connect(address, None))?;
        Ok(Self { runtime, client, address })
    }

    /// Asks; says status and body.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Value)> {
        let request = request(method, path, token, body);
        let answer = self
            .runtime
            .block_on(self.client.exchange(request.as_bytes()))
            .with_context(|| format!("{method} {} {path}", self.address))?;
        Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
    }

    /// Asks what must succeed.
    pub(crate) fn get_done(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let (status, answer) = self.ask(method, path, token, body)?;
        ensure!((200..300).contains(&status), "{method} {path} was answered {status}: {answer}");
        Ok(answer)
    }

    /// Waits until a service accepts a person's token: it reads new keys a few times a second.
    pub(crate) fn wait_for_key(&mut self, path: &str, person: &Person) -> anyhow::Result<()> {
        wait_for("the service to accept our tokens", PATIENCE, || {
            let (status, _) = self.ask("GET", path, &person.token, None)?;
            Ok((status != 401).then_some(()))
        })
    }

    /// Makes a public room; says its id.
    pub(crate) fn make_room(&mut self, name: &str, owner: &Person) -> anyhow::Result<String> {
        let wanted = json!({ "kind": "public", "name": name });
        let room = self.get_done("POST", "/chat/rooms", &owner.token, Some(&wanted))?;
        Ok(room.get("id").and_then(Value::as_str).context("a room without an id")?.to_owned())
    }

    pub(crate) fn join_room(&mut self, room: &str, person: &Person) -> anyhow::Result<()> {
        let path = format!("/chat/rooms/{room}/members/me");
        self.get_done("PUT", &path, &person.token, None).map(drop)
    }
}

/// A request of HTTP/1.1 with a token and perhaps a body.
pub(crate) fn request(method: &str, path: &str, token: &str, body: Option<&Value>) -> String {
    let body = body.map(Value::to_string);
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: bench.test\r\n");
    if !token.is_empty() {
        text.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    match body {
        Some(body) => {
            text.push_str(&format!(
                "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
        None if method == "GET" => text.push_str("\r\n"),
        None => text.push_str("content-length: 0\r\n\r\n"),
    }
    text
}
