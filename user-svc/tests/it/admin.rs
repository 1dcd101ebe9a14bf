//! What administrators do with accounts.

use std::time::Duration;

use irongate_test_identity::{Installation, Value, json, on_both_databases};
use irongate_test_servers::eventually;

fn path(user: &Value) -> String {
    format!("/user/admin/users/{}", user["id"].as_str().unwrap())
}

async fn signs_in(app: &Installation, name: &str) -> u16 {
    let login = json!({ "username": name, "password": "correct horse battery staple" });
    app.post("/auth/login").json(login).send().await.status
}

on_both_databases! {
    async fn a_locked_user_is_out_at_once_and_in_again_once_unlocked(app: Installation) {
        app.register_admin("boss").await;
        let user = app.register("ann").await;
        let (boss, ann) = (app.sign_in("boss").await, app.sign_in("ann").await);
        assert_eq!(app.accepts(&ann).await, 200);

        let locked = app.patch(&path(&user)).by(&boss).json(json!({ "locked": true })).send().await.expect(200);

        assert!(locked.body["locked_at"].is_string());
        assert_eq!(app.accepts(&ann).await, 401);
        assert_ne!(app.refresh(&ann.refresh).await.status, 200);
        eventually("auth-svc knows", Duration::from_secs(10), || async { signs_in(&app, "ann").await == 403 }).await;

        app.patch(&path(&user)).by(&boss).json(json!({ "locked": false })).send().await.expect(200);
        eventually("ann is in again", Duration::from_secs(10), || async { signs_in(&app, "ann").await == 200 }).await;
        assert_eq!(app.accepts(&app.sign_in("ann").await).await, 200);
        assert_eq!(app.accepts(&ann).await, 401, "the old session has ended");
    }

    async fn a_changed_role_is_true_at_once_and_in_every_later_token(app: Installation) {
        app.register_admin("boss").await;
        let user = app.register("ann").await;
        let boss = app.sign_in("boss").await;
        app.patch(&path(&user)).by(&boss).json(json!({ "role": "admin" })).send().await.expect(200);
        eventually("ann is in again", Duration::from_secs(10), || async { signs_in(&app, "ann").await == 200 }).await;
        let ann = app.sign_in("ann").await;
        app.get("/user/admin/users").by(&ann).send().await.expect(200);

        app.patch(&path(&user)).by(&boss).json(json!({ "role": "user" })).send().await.expect(200);

        app.get("/user/admin/users").by(&ann).send().await.expect(401);
        eventually("ann goes on", Duration::from_secs(10), || async { app.refresh(&ann.refresh).await.status == 200 }).await;
        let ann = app.sign_in("ann").await;
        app.get("/user/admin/users").by(&ann).send().await.expect(403);
        let history = app.get("/auth/audit").by(&ann).send().await.expect(200).body;
        let changes: Vec<_> = history["items"].as_array().unwrap().iter().filter(|item| item["event"] == "role_changed").collect();
        assert_eq!(changes.len(), 2);
        assert_eq!(changes[0]["actor_id"], boss.user["id"]);
    }

    async fn nobody_stays_on_the_blacklist_for_longer_than_a_token_lasts(app: Installation) {
        app.register_admin("boss").await;
        let boss = app.sign_in("boss").await;
        for (name, changes) in [
            ("ann", vec![json!({ "role": "admin" })]),
            ("bob", vec![json!({ "locked": true })]),
            ("eve", vec![json!({ "locked": true }), json!({ "locked": false })]),
        ] {
            let user = app.register(name).await;
            for change in changes {
                app.patch(&path(&user)).by(&boss).json(change).send().await.expect(200);
            }
        }
        let zoe = app.register("zoe").await;
        app.delete(&path(&zoe)).by(&boss).send().await.expect(204);

        let until_when = i64::MAX - 1;
        eventually("auth-svc knows of all of them", Duration::from_secs(10), || async {
            let bars = "SELECT COUNT(*) AS number FROM revoked_tokens WHERE kind = 'user'";
            app.number(bars).await == 4
                && app.number(&format!("{bars} AND expires_at_ms > {until_when}")).await == 0
        })
        .await;
    }

    async fn accounts_are_made_found_changed_and_deleted(app: Installation) {
        app.register_admin("boss").await;
        let boss = app.sign_in("boss").await;
        let new = json!({ "username": "carla", "email": "c@example.com", "password": "correct horse battery staple", "role": "user" });

        let made = app.post("/user/admin/users").by(&boss).json(new.clone()).send().await.expect(201);
        app.post("/user/admin/users").by(&boss).json(new).send().await.expect(409);
        let found = app.get("/user/admin/users?search=c%40ex").by(&boss).send().await.expect(200);
        assert_eq!(found.body["items"], json!([made.body]));

        let change = |version: &'static str| {
            app.patch(&path(&made.body)).by(&boss).header("if-match", version).json(json!({ "display_name": "Carla C." })).send()
        };
        change("\"9\"").await.expect(412);
        assert_eq!(change("\"1\"").await.expect(200).body["display_name"], "Carla C.");
        app.delete(&path(&made.body)).by(&boss).send().await.expect(204);
        app.get(&path(&made.body)).by(&boss).send().await.expect(404);
        assert_ne!(signs_in(&app, "carla").await, 200);
    }

    async fn nobody_takes_the_last_administrator_away(app: Installation) {
        let admin = app.register_admin("boss").await;
        let boss = app.sign_in("boss").await;

        app.patch(&path(&admin)).by(&boss).json(json!({ "role": "user" })).send().await.expect(409);
        app.patch(&path(&admin)).by(&boss).json(json!({ "locked": true })).send().await.expect(409);
        app.delete(&path(&admin)).by(&boss).send().await.expect(409);
        app.patch(&path(&admin)).by(&boss).json(json!({ "bio": "Boss." })).send().await.expect(200);
    }

    async fn users_do_none_of_this(app: Installation) {
        let user = app.register("ann").await;
        let ann = app.sign_in("ann").await;

        app.get("/user/admin/users").by(&ann).send().await.expect(403);
        app.get(&path(&user)).by(&ann).send().await.expect(403);
        app.patch(&path(&user)).by(&ann).json(json!({ "role": "admin" })).send().await.expect(403);
        app.delete(&path(&user)).by(&ann).send().await.expect(403);
        app.get("/user/admin/users").send().await.expect(401);
    }
}
