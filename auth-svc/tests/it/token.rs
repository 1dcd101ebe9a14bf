//! Access tokens: what is in them, and which are refused.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use diesel::prelude::*;
use irongate_shared::{
    clock::Clock,
    db::{Database, Db, DbError},
    service::Started,
};
use irongate_test_identity::{Backend, Installation, Setup, Value, json, on_both_databases};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use tokio_util::sync::CancellationToken;

fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn with_part(token: &str, at: usize, value: &Value) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[at] = URL_SAFE_NO_PAD.encode(value.to_string());
    parts.join(".")
}

on_both_databases! {
    async fn a_token_says_who_and_for_how_long(app: Installation) {
        let ann = app.register("ann").await;
        let session = app.sign_in("ann").await;

        let (header, claims) = (part(&session.access, 0), part(&session.access, 1));

        assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
        assert_eq!(claims["iss"], app.platform.issuer());
        assert_eq!(claims["sub"], ann["id"]);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
        assert_eq!((&claims["roles"], &claims["preferred_username"]), (&json!(["user"]), &json!("ann")));
        let keys = app.get("/auth/.well-known/jwks.json").send().await.expect(200).body;
        assert_eq!(keys["keys"][0]["kid"], header["kid"]);
        assert_eq!((&keys["keys"][0]["crv"], &keys["keys"][0]["use"]), (&json!("Ed25519"), &json!("sig")));
    }

    async fn a_token_that_was_touched_is_refused(app: Installation) {
        app.register("ann").await;
        let access = app.sign_in("ann").await.access;
        let (header, claims) = (part(&access, 0), part(&access, 1));
        let changed = |of: &Value, field: &str, value: Value| {
            let mut of = of.clone();
            of[field] = value;
            of
        };
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#), access.split('.').nth(1).unwrap());
        let forged = [
            with_part(&access, 1, &changed(&claims, "roles", json!(["admin"]))),
            with_part(&access, 1, &changed(&claims, "exp", json!(9_999_999_999_i64))),
            with_part(&access, 0, &changed(&header, "alg", json!("none"))),
            with_part(&access, 0, &changed(&header, "alg", json!("HS256"))),
            with_part(&access, 0, &changed(&header, "kid", json!("another"))),
            with_part(&access, 0, &changed(&header, "typ", json!("JWT"))),
            with_part(&access, 0, &changed(&header, "crit", json!(["x"]))),
            unsigned,
            access.rsplit_once('.').unwrap().0.to_owned() + ".",
            access.clone() + "A",
            "x".repeat(5000),
            String::new(),
        ];

        app.get("/user/me").bearer(&access).send().await.expect(200);
        for token in forged {
            let refused = app.get("/user/me").bearer(&token).send().await.expect(401);
            assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"), "{token}");
        }
        app.get("/user/me").send().await.expect(401);
        app.get("/user/me").header("authorization", "Basic YW5uOng=").send().await.expect(401);
    }

    async fn a_token_runs_out_and_its_key_is_replaced_in_time(app: Installation) {
        app.register("ann").await;
        let session = app.sign_in("ann").await;
        let first_key = part(&session.access, 0)["kid"].clone();
        app.clock.advance(Duration::from_secs(601));
        assert_eq!(app.accepts(&session).await, 401);

        // Within an hour of the rotation the next key is published, and the old one still signs.
        app.clock.advance(Duration::from_secs(30 * 86_400 - 1800));
        let session = app.sign_in("ann").await;
        let published = app.get("/auth/.well-known/jwks.json").send().await.expect(200).body;
        assert_eq!(published["keys"].as_array().unwrap().len(), 2);
        assert_eq!(part(&session.access, 0)["kid"], first_key);

        app.clock.advance(Duration::from_secs(3601));
        let later = app.sign_in("ann").await;
        assert_ne!(part(&later.access, 0)["kid"], first_key);
        assert_eq!(app.accepts(&later).await, 200);
    }
}

on_both_databases! {
    async fn an_auth_svc_with_other_secrets_stops_no_sign_in(app: Installation) {
        app.register("ann").await;
        let kid = part(&app.sign_in("ann").await.access, 0)["kid"].clone();

        // Also when a key is due, and whoever comes first makes it.
        let due = Clock::shifted();
        due.advance(Duration::from_secs(30 * 86_400 - 1800));
        let refused = start_with_other_secrets(&app, due).await;
        assert!(refused.contains(kid.as_str().unwrap()) && refused.contains("IRONGATE_SECRETS"), "{refused}");
        assert_eq!(app.number("SELECT COUNT(*) AS number FROM signing_keys").await, 1);

        // The newest key of those that are published, and one that we cannot open.
        app.clock.advance(Duration::from_secs(3 * 3600));
        planted_key(&app, app.clock.now().as_millis() - 7_200_000).await;
        assert_eq!(part(&app.sign_in("ann").await.access, 0)["kid"], kid);
    }
}

/// Why an auth-svc over the same database, with a secrets folder of its own, does not start.
async fn start_with_other_secrets(app: &Installation, clock: Clock) -> String {
    let secrets = tempfile::tempdir().unwrap();
    let mut platform = app.platform.clone();
    platform.secrets = secrets.path().to_owned();
    let run = move || {
        let settings = Setup::on(Backend::Sqlite).auth;
        let started = Started { settings, platform, shutdown: CancellationToken::new() };
        actix_web::rt::System::new().block_on(irongate_auth_svc::run_at(started, clock))
    };
    format!("{:#}", tokio::task::spawn_blocking(run).await.unwrap().unwrap_err())
}

/// A key of our own among the installation's, as somebody would have who stole one: what it signs is signed right.
async fn planted_key(app: &Installation, created_at_ms: i64) -> (String, EncodingKey) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let row = (pair.public_key().as_ref().to_vec(), "planted".to_owned());
    let database = Database::open(&app.platform.database, 1).await.unwrap();
    let plant = move |db: &mut Db| {
        let (public, kid) = row;
        let far = 9_000_000_000_000_i64;
        diesel::insert_into(signing_keys::table)
            .values((
                signing_keys::kid.eq(kid),
                signing_keys::public_key.eq(public),
                signing_keys::private_key.eq(Vec::new()),
                signing_keys::created_at_ms.eq(created_at_ms),
                signing_keys::expires_at_ms.eq(far),
            ))
            .execute(db)?;
        Ok::<_, DbError>(())
    };
    database.write(plant).await.unwrap();
    ("planted".to_owned(), EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref()))
}

fn signed(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        public_key -> Binary,
        private_key -> Binary,
        created_at_ms -> BigInt,
        expires_at_ms -> BigInt,
    }
}

on_both_databases! {
    async fn a_right_signature_is_not_enough(app: Installation) {
        app.register("ann").await;
        let claims = part(&app.sign_in("ann").await.access, 1);
        let (kid, key) = planted_key(&app, 0).await;
        let header = Header { kid: Some(kid), typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::EdDSA) };
        let changed = |field: &str, value: Value| {
            let mut claims = claims.clone();
            claims[field] = value;
            claims
        };
        let now = app.clock.now().as_secs();

        app.get("/user/me").bearer(&signed(&header, &claims, &key)).send().await.expect(200);

        let wrong = [
            ("iss", json!("https://evil.example")),
            ("iss", json!([])),
            ("iss", Value::Null),
            ("aud", json!("another")),
            ("aud", json!(["another"])),
            ("aud", json!([])),
            ("aud", Value::Null),
            ("exp", json!(now - 1)),
            ("exp", json!("tomorrow")),
            ("nbf", json!(now + 3600)),
            ("iat", json!(now + 3600)),
            ("sub", json!("ann")),
            ("sid", Value::Null),
            ("jti", Value::Null),
        ];
        for (field, value) in wrong {
            let token = signed(&header, &changed(field, value.clone()), &key);
            for path in ["/user/me", "/auth/sessions"] {
                let answer = app.get(path).bearer(&token).send().await;
                assert_eq!(answer.status, 401, "{field} = {value}");
            }
        }
        for field in ["iss", "aud", "exp", "nbf", "iat", "sub", "sid", "jti", "roles"] {
            let mut lacking = claims.clone();
            lacking.as_object_mut().unwrap().remove(field);
            let token = signed(&header, &lacking, &key);
            assert_eq!(app.get("/user/me").bearer(&token).send().await.status, 401, "no {field}");
        }
        // The public key as a secret: the classic confusion of algorithms.
        let confused = Header { alg: Algorithm::HS256, ..header.clone() };
        let public = app.get("/auth/.well-known/jwks.json").send().await.expect(200).body;
        let public = URL_SAFE_NO_PAD.decode(public["keys"][0]["x"].as_str().unwrap()).unwrap();
        let token = signed(&confused, &claims, &EncodingKey::from_secret(&public));
        app.get("/user/me").bearer(&token).send().await.expect(401);
        let expired = Header { kid: Some("gone".to_owned()), ..header };
        app.get("/user/me").bearer(&signed(&expired, &claims, &key)).send().await.expect(401);
    }
}
