//! Verifying while database and Redis come and go.

use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use diesel::prelude::*;
use futures_util::FutureExt as _;
use irongate_shared::{
    clock::{Clock, Timestamp},
    config::DatabaseUrl,
    db::{Database, Db, DbError},
    id::{SessionId, TokenId, UserId},
    secret::Secret,
    token::{
        Claims, Identity, REVOCATION_LAG, Role, TokenError, Verifier,
        revocation::{self, Revocation},
    },
};
use irongate_test_servers::{Postgres, Redis, eventually};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

const ISSUER: &str = "https://localhost:8443";
const LIMIT: Duration = Duration::from_secs(60);

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        public_key -> Binary,
        private_key -> Binary,
        created_at_ms -> BigInt,
        expires_at_ms -> BigInt,
    }
}

/// Somebody who signs tokens, as auth-svc does.
struct Signer {
    database: Database,
    key: EncodingKey,
}

impl Signer {
    async fn over(url: &DatabaseUrl) -> Self {
        let database = Database::open(url, 2).await.unwrap();
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = pair.public_key().as_ref().to_vec();
        let publish = move |db: &mut Db| {
            diesel::insert_into(signing_keys::table)
                .values((
                    signing_keys::kid.eq("key"),
                    signing_keys::public_key.eq(public),
                    signing_keys::private_key.eq(Vec::new()),
                    signing_keys::created_at_ms.eq(0_i64),
                    signing_keys::expires_at_ms.eq(9_000_000_000_000_i64),
                ))
                .execute(db)?;
            Ok::<_, DbError>(())
        };
        database.write(publish).await.unwrap();
        Self { database, key: EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref()) }
    }

    fn token(&self) -> String {
        let now = Clock::system().now();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: UserId::at(now),
            aud: Claims::AUDIENCE.to_owned(),
            exp: now.as_secs() + 600,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            jti: TokenId::at(now),
            sid: SessionId::at(now),
            scope: "user chat".to_owned(),
            roles: vec![Role::User],
            preferred_username: "ann".to_owned(),
            name: "Ann".to_owned(),
            picture: None,
        };
        let header = Header {
            kid: Some("key".to_owned()),
            typ: Some(Claims::TYPE.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    async fn revoke(&self, identity: &Identity) {
        let (session, now) = (identity.session, Clock::system().now());
        let until: Timestamp = now + Duration::from_secs(600);
        self.database
            .write(move |db| revocation::revoke(db, Revocation::Session(session), now, until))
            .await
            .unwrap();
    }
}

/// The verifier of a process of its own.
async fn verifier(database: &DatabaseUrl, redis: Option<&Redis>) -> Verifier {
    let database = Database::open(database, 2).await.unwrap();
    let redis = redis.map(|redis| Secret::new(redis.url().parse().unwrap()));
    Verifier::new(database, ISSUER, Clock::system()).hurried_by(redis.as_ref()).unwrap()
}

/// Whoever waits for nothing is answered at the first poll.
#[tokio::test]
async fn a_token_seen_before_is_checked_without_asking_anybody_while_the_copy_is_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("irongate.db"));
    let signer = Signer::over(&url).await;
    let verifier = verifier(&url, None).await;
    let token = signer.token();

    let mut at_once = 0;
    // A machine that does other things lets the copy grow old now and then; then it is read, once.
    for _ in 0..20 {
        verifier.verify(&token).await.unwrap();
        let fresh = Instant::now();
        while fresh.elapsed() < REVOCATION_LAG / 5 {
            at_once += u32::from(verifier.verify(&token).now_or_never().is_some_and(|answer| answer.is_ok()));
        }
    }

    assert!(at_once > 1000, "{at_once}");
}

#[tokio::test]
async fn nothing_is_accepted_on_a_copy_older_than_promised() {
    let server = Postgres::start();
    let database = server.database();
    let url: DatabaseUrl = database.url().parse().unwrap();
    let signer = Signer::over(&url).await;
    let verifier = verifier(&url, None).await;
    let token = signer.token();
    verifier.verify(&token).await.unwrap();

    server.pause();
    let paused = Instant::now();
    let mut last = paused;
    let refused = loop {
        let asked = Instant::now();
        match verifier.verify(&token).await {
            Ok(_) => last = asked,
            Err(why) => break why,
        }
    };
    server.resume();

    assert!(matches!(refused, TokenError::Unavailable(_)), "{refused}");
    assert!(last - paused <= REVOCATION_LAG, "{:?} after the last word of the database", last - paused);
    eventually("the database to be read again", LIMIT, || async { verifier.verify(&token).await.is_ok() })
        .await;
}

/// A process that nobody asks anything reads nothing by itself: what it learns here it has from Redis.
#[tokio::test]
async fn with_redis_a_process_hears_of_a_revocation_though_it_does_not_look() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("irongate.db"));
    let signer = Signer::over(&url).await;
    let redis = Redis::start();
    let (ours, idle) = (verifier(&url, Some(&redis)).await, verifier(&url, Some(&redis)).await);
    let first = idle.verify(&signer.token()).await.unwrap();
    let second = idle.verify(&signer.token()).await.unwrap();
    let refuses = |identity: &Identity| idle.still_valid(identity) == Err(TokenError::Revoked);
    tokio::time::sleep(Duration::from_secs(6)).await;

    signer.revoke(&first).await;
    tokio::time::sleep(REVOCATION_LAG).await;
    assert!(!refuses(&first), "it looks by itself, so this test proves nothing");
    eventually("the word to arrive", LIMIT, || async {
        ours.tell_others();
        refuses(&first)
    })
    .await;

    redis.stop();
    redis.start_again();
    signer.revoke(&second).await;
    eventually("a word by way of another Redis", LIMIT, || async {
        ours.tell_others();
        refuses(&second)
    })
    .await;
}

#[tokio::test]
async fn whatever_becomes_of_redis_what_is_revoked_is_refused_in_time_and_what_is_valid_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("irongate.db"));
    let signer = Signer::over(&url).await;
    let redis = Redis::start();
    let (ours, other) = (verifier(&url, Some(&redis)).await, verifier(&url, Some(&redis)).await);
    let valid = signer.token();

    let troubles: [fn(&Redis); 5] = [|_| {}, Redis::pause, Redis::resume, Redis::stop, Redis::start_again];
    for (nth, trouble) in troubles.into_iter().enumerate() {
        let token = signer.token();
        let identity = other.verify(&token).await.unwrap();
        trouble(&redis);
        assert!(other.verify(&token).await.is_ok(), "after trouble {nth}");

        signer.revoke(&identity).await;
        ours.settled().await;

        assert_eq!(other.verify(&token).await.unwrap_err(), TokenError::Revoked, "after trouble {nth}");
        assert!(other.verify(&valid).await.is_ok(), "after trouble {nth}");
    }
}
