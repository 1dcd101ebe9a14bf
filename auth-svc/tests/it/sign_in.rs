//! Who gets in.

use diesel::prelude::*;
use irongate_auth_svc::Settings;
use irongate_shared::db::{Database, Db, DbError};
use irongate_test_identity::{Backend, Installation, Setup, json, on_both_databases};

diesel::table! {
    credentials (user_id) {
        user_id -> Text,
        password_hash -> Nullable<Text>,
    }
}

/// The one password hash that is stored.
async fn hash_of(app: &Installation) -> String {
    let database = Database::open(&app.platform.database, 1).await.unwrap();
    let read = |db: &mut Db| -> Result<Option<String>, DbError> {
        Ok(credentials::table.select(credentials::password_hash).first(db)?)
    };
    database.read(read).await.unwrap().unwrap()
}

fn auth_with_cost(bcrypt_cost: u32) -> Settings {
    Settings { bcrypt_cost, ..Setup::on(Backend::Sqlite).auth }
}

on_both_databases! {
    async fn a_registered_user_signs_in_by_name_or_address(app: Installation) {
        let registered = app.register("ann").await;

        for name in ["ann", "ANN", " ann ", "Ann@Example.org"] {
            let login = json!({ "username": name, "password": "correct horse battery staple", "refresh": "body" });
            let answer = app.post("/auth/login").json(login).send().await.expect(200);

            assert_eq!(answer.body["user"], registered, "{name}");
            assert_eq!(answer.body["token_type"], "Bearer");
            assert_eq!(answer.body["expires_in"], 600);
            assert_eq!(app.accepts(&answer.signed_in()).await, 200);
        }
    }

    async fn a_wrong_password_and_an_unknown_name_are_answered_alike(app: Installation) {
        app.register("ann").await;
        let attempt = async |name: &str| {
            let login = json!({ "username": name, "password": "not the password" });
            let mut answer = app.post("/auth/login").json(login).send().await.expect(401);
            answer.body["request_id"].take();
            answer.body
        };

        let wrong = attempt("ann").await;

        assert_eq!(wrong["type"], "urn:irongate:problem:wrong-password");
        assert_eq!(attempt("nobody").await, wrong);
        assert_eq!(attempt("nobody@example.org").await, wrong);
    }

    async fn a_browser_gets_the_refresh_token_in_a_cookie_that_scripts_cannot_read(app: Installation) {
        app.register("ann").await;

        let login = json!({ "username": "ann", "password": "correct horse battery staple" });
        let answer = app.post("/auth/login").json(login).send().await.expect(200);

        let cookie = answer.header("set-cookie").unwrap();
        for attribute in ["__Secure-refresh=", "; HttpOnly", "; Secure", "; SameSite=Strict", "; Path=/auth", "; Max-Age=2592000"] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
        assert!(answer.body.get("refresh_token").is_none());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }

    async fn input_that_is_none_is_refused_as_a_problem(app: Installation) {
        let login = |body| app.post("/auth/login").json(body).send();

        login(json!({ "username": "ann" })).await.expect(422);
        login(json!({ "username": "ann", "password": "x", "remember": true })).await.expect(422);
        login(json!({ "username": "a\0nn", "password": "x" })).await.expect(422);
        login(json!({ "username": "ann", "password": "x".repeat(100_000) })).await.expect(413);
        app.post("/auth/login").header("content-type", "text/plain").send().await.expect(415);
        let refused = app.get("/auth/login").send().await.expect(405);
        assert_eq!(refused.header("allow"), Some("POST"));
        app.get("/auth/nothing").send().await.expect(404);
    }

    async fn a_hash_of_a_lower_cost_is_made_anew_at_sign_in(app: Installation) {
        let mut app = app;
        app.register("ann").await;
        let costly = auth_with_cost(6);
        app.add_auth(costly).await;
        assert!(hash_of(&app).await.starts_with("$2b$04$"));
        let login = json!({ "username": "ann", "password": "correct horse battery staple" });
        let wrong = json!({ "username": "ann", "password": "wrong password" });

        app.post("/auth/login").replica(1).json(wrong).send().await.expect(401);
        assert!(hash_of(&app).await.starts_with("$2b$04$"));
        app.post("/auth/login").replica(1).json(login.clone()).send().await.expect(200);

        let upgraded = hash_of(&app).await;
        assert!(upgraded.starts_with("$2b$06$"), "{upgraded}");
        app.post("/auth/login").replica(1).json(login.clone()).send().await.expect(200);
        app.post("/auth/login").json(login).send().await.expect(200);
        assert_eq!(hash_of(&app).await, upgraded, "not made cheaper, and not made anew every time");
    }
}
