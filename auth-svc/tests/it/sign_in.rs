//! Who gets in.

use diesel::prelude::*;
use irongate_auth_svc::Settings;
use irongate_shared::{
    config::{Listen, ListenOrOff},
    db::{Database, Db, DbError},
};
use irongate_test_identity::{Backend, Installation, Setup, Value, json, on_both_databases};

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

/// How many passwords auth-svc has compared so far.
async fn comparisons(app: &Installation, metrics: u16) -> u64 {
    let page = app.client.get(format!("http://127.0.0.1:{metrics}/metrics")).send().await.unwrap();
    let page = page.text().await.unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix("password_hash_seconds_count "));
    line.unwrap().parse().unwrap()
}

/// What takes the time of a sign-in is the comparison: there is always one, so time does not tell who has an account.
#[tokio::test]
async fn a_sign_in_that_fails_costs_one_comparison_whoever_it_is_for() {
    let metrics = irongate_test_servers::free_port();
    let mut setup = Setup::on(Backend::Sqlite);
    setup.auth.metrics = ListenOrOff(Some(Listen::Tcp(([127, 0, 0, 1], metrics).into())));
    let app = Installation::start_with(setup).await;
    app.register_admin("boss").await;
    let boss = app.sign_in("boss").await;
    app.register("ann").await;
    let (locked, deleted) = (app.register("locked").await, app.register("deleted").await);
    let path = |user: &Value| format!("/user/admin/users/{}", user["id"].as_str().unwrap());
    app.patch(&path(&locked)).by(&boss).json(json!({ "locked": true })).send().await.expect(200);
    app.delete(&path(&deleted)).by(&boss).send().await.expect(204);
    let right = json!({ "username": "locked", "password": "correct horse battery staple" });
    irongate_test_servers::eventually("auth-svc knows", std::time::Duration::from_secs(10), || async {
        app.post("/auth/login").json(right.clone()).send().await.status == 403
    })
    .await;

    for name in ["ann", "ann@example.org", "locked", "deleted", "nobody", "nobody@example.org"] {
        for password in ["wrong password".to_owned(), "x".repeat(72)] {
            let before = comparisons(&app, metrics).await;
            let login = json!({ "username": name, "password": password });

            let answer = app.post("/auth/login").json(login).send().await.expect(401);

            assert_eq!(answer.body["type"], "urn:irongate:problem:wrong-password", "{name}");
            assert_eq!(comparisons(&app, metrics).await - before, 1, "{name}");
        }
    }
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

    async fn who_signs_in_while_rights_are_taken_away_does_not_get_them(app: Installation) {
        let mut app = app;
        // Comparing the password takes a quarter of a second, in which much can happen.
        let mut slow = Setup::on(Backend::Sqlite).user;
        slow.bcrypt_cost = 12;
        app.add_user(slow).await;
        app.register_admin("boss").await;
        let boss = app.sign_in("boss").await;
        let ann = json!({ "username": "ann", "email": "ann@example.org", "password": "correct horse battery staple", "role": "admin" });
        let ann = app.post("/user/admin/users").replica(1).by(&boss).json(ann).send().await.expect(201).body;
        let path = format!("/user/admin/users/{}", ann["id"].as_str().unwrap());
        let login = json!({ "username": "ann", "password": "correct horse battery staple" });

        let take_away = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            app.patch(&path).by(&boss).json(json!({ "role": "user" })).send().await.expect(200);
        };
        let (answer, ()) = tokio::join!(app.post("/auth/login").json(login).send(), take_away);

        if answer.status == 200 {
            let status = app.get("/user/admin/users").by(&answer.signed_in()).send().await.status;
            assert!(matches!(status, 401 | 403), "{status}: {}", answer.body["user"]);
        }
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
