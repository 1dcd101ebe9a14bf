//! Access tokens: what is in them, and which are refused.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_test_identity::{Installation, Value, json, on_both_databases};

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
