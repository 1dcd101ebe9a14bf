//! What every test stands on: a database of its own, and the key that its tokens are signed with.

use std::{sync::Once, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use diesel::prelude::*;
use irongate_shared::{
    clock::Clock,
    config::DatabaseUrl,
    db::Db,
    id::{SessionId, UserId},
    token::revocation::{self, Revocation},
};
use irongate_test_servers::{Database, Postgres};

use super::User;

/// What the service stores in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    /// A database of the server that all tests share.
    Postgres,
    /// A server of its own.
    OwnPostgres,
}

/// Where the database is; dropping it removes it.
enum Storage {
    Sqlite(tempfile::TempDir),
    Postgres(Database<'static>),
    OwnPostgres(&'static Postgres, Database<'static>),
}

pub(crate) struct Stage {
    pub(crate) http: reqwest::Client,
    /// The gateway's address, and so the issuer of tokens.
    pub(crate) gateway: String,
    /// What the service writes besides its database.
    pub(crate) data: tempfile::TempDir,
    storage: Storage,
    key: jsonwebtoken::EncodingKey,
    public_key: Vec<u8>,
}

impl Stage {
    pub(crate) async fn set(backend: Backend) -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(irongate_shared::install_crypto_provider);
        let storage = match backend {
            Backend::Sqlite => Storage::Sqlite(tempfile::tempdir().expect("a directory")),
            Backend::Postgres => {
                let database = tokio::task::spawn_blocking(|| Postgres::shared().database()).await;
                Storage::Postgres(database.expect("a database"))
            }
            Backend::OwnPostgres => {
                // It ends with the process of the test, at the latest.
                let server = tokio::task::spawn_blocking(|| &*Box::leak(Box::new(Postgres::start()))).await;
                let server = server.expect("a server");
                Storage::OwnPostgres(server, server.database())
            }
        };
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("the key");
        Self {
            http: reqwest::Client::new(),
            gateway: "https://chat.test".to_owned(),
            data: tempfile::tempdir().expect("a directory"),
            storage,
            key: jsonwebtoken::EncodingKey::from_ed_der(document.as_ref()),
            public_key: pair.public_key().as_ref().to_vec(),
        }
    }

    /// As `DATABASE_URL` takes it.
    pub(crate) fn database(&self) -> String {
        match &self.storage {
            Storage::Sqlite(directory) => format!("sqlite:{}", directory.path().join("chat.db").display()),
            Storage::Postgres(database) | Storage::OwnPostgres(_, database) => database.url().to_owned(),
        }
    }

    pub(crate) fn own_postgres(&self) -> &'static Postgres {
        match &self.storage {
            Storage::OwnPostgres(server, _) => server,
            Storage::Sqlite(_) | Storage::Postgres(_) => panic!("others are on this database"),
        }
    }

    pub(crate) fn database_url(&self) -> DatabaseUrl {
        self.database().parse().expect("a database URL")
    }

    pub(crate) fn db(&self) -> Db {
        Db::open(&self.database_url()).expect("the database is there")
    }

    /// Waits until the service behind `base` serves and accepts our tokens.
    pub(crate) async fn ready(&self, base: &str) {
        self.wait_for(base, "/health", |status| status == 200).await;
        self.install_key();
        // A verifier reads keys a few times a second.
        let probe = self.user(base, "probe");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while probe.get("/chat/rooms").await.status == 401 {
            assert!(std::time::Instant::now() < deadline, "the key is not trusted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn wait_for(&self, base: &str, path: &str, wanted: impl Fn(u16) -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.http.get(format!("{base}{path}")).send().await;
            if answer.is_ok_and(|answer| wanted(answer.status().as_u16())) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "waited in vain for {base}{path}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn install_key(&self) {
        diesel::table! {
            signing_keys (kid) {
                kid -> Text,
                public_key -> Binary,
                private_key -> Binary,
                created_at_ms -> BigInt,
                expires_at_ms -> BigInt,
            }
        }
        let mut db = self.db();
        let installed: Vec<String> =
            signing_keys::table.select(signing_keys::kid).load(&mut db).expect("the table is there");
        if installed.is_empty() {
            diesel::insert_into(signing_keys::table)
                .values((
                    signing_keys::kid.eq("test"),
                    signing_keys::public_key.eq(&self.public_key),
                    signing_keys::private_key.eq(Vec::<u8>::new()),
                    signing_keys::created_at_ms.eq(0i64),
                    signing_keys::expires_at_ms.eq(i64::MAX),
                ))
                .execute(&mut db)
                .expect("the key is stored");
        }
    }

    /// A new user, known to the service behind `base` once they do something.
    pub(crate) fn user(&self, base: &str, name: &str) -> User {
        let (id, session) = (UserId::new(), SessionId::new());
        let token = self.token(id, session, name, name, Duration::from_secs(600));
        User { http: self.http.clone(), base: base.to_owned(), id, session, token }
    }

    /// A token as auth-svc signs them.
    pub(crate) fn token(
        &self,
        id: UserId,
        session: SessionId,
        name: &str,
        display: &str,
        life: Duration,
    ) -> String {
        let now = Clock::system().now();
        let claims = serde_json::json!({
            "iss": self.gateway,
            "aud": "irongate",
            "sub": id,
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": (now + life).as_secs(),
            "jti": irongate_shared::id::TokenId::new(),
            "sid": session,
            "scope": "",
            "roles": ["user"],
            "preferred_username": name,
            "name": display,
        });
        self.sign(&claims)
    }

    /// A token of a service, as auth-svc signs them.
    pub(crate) fn service_token(&self, client: &str, scope: &str) -> String {
        let now = Clock::system().now();
        self.sign(&serde_json::json!({
            "iss": self.gateway,
            "aud": "irongate",
            "sub": client,
            "client_id": client,
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": now.as_secs() + 600,
            "jti": irongate_shared::id::TokenId::new(),
            "scope": scope,
        }))
    }

    fn sign(&self, claims: &serde_json::Value) -> String {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.kid = Some("test".to_owned());
        header.typ = Some("at+jwt".to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).expect("a token")
    }

    /// What auth-svc does at "sign out".
    pub(crate) fn revoke(&self, what: Revocation) {
        let now = Clock::system().now();
        self.db()
            .write(|db| revocation::revoke(db, what, now, now + Duration::from_secs(600)))
            .expect("the revocation is stored");
    }
}
