//! The signed-in user's own account.

use irongate_test_identity::{Installation, json, on_both_databases};

on_both_databases! {
    async fn a_change_is_seen_and_counted(app: Installation) {
        let registered = app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let before = app.get("/user/me").by(&ann).send().await.expect(200);
        assert_eq!(before.body, registered);

        let change = json!({ "display_name": "Ann Lee", "bio": "Two\nlines." });
        let changed = app.patch("/user/me").by(&ann).json(change).send().await.expect(200);

        assert_eq!((before.header("etag"), changed.header("etag")), (Some("\"1\""), Some("\"2\"")));
        assert_eq!((&changed.body["display_name"], &changed.body["bio"]), (&json!("Ann Lee"), &json!("Two\nlines.")));
        assert_ne!(changed.body["updated_at"], before.body["updated_at"]);
        assert_eq!(app.get("/user/me").by(&ann).send().await.body, changed.body);
    }

    async fn of_two_editors_the_second_is_told(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let save = |version: &'static str, name: &'static str| {
            app.patch("/user/me").by(&ann).header("if-match", version).json(json!({ "display_name": name })).send()
        };

        save("\"1\"", "First").await.expect(200);
        save("\"1\"", "Second").await.expect(412);
        save("W/\"2\"", "Weak").await.expect(412);
        save("nonsense", "Nonsense").await.expect(412);

        let now = save("\"7\", \"2\"", "Third").await.expect(200);
        assert_eq!(now.body["display_name"], "Third");
        save("*", "Fourth").await.expect(200);
    }

    async fn what_is_known_is_not_sent_again(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let again = |tag: &'static str| app.get("/user/me").by(&ann).header("if-none-match", tag).send();

        assert_eq!(again("\"1\"").await.status, 304);
        assert_eq!(again("W/\"1\"").await.status, 304);
        again("\"0\"").await.expect(200);
    }

    async fn a_change_keeps_the_rules(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        let ann = app.sign_in("ann").await;
        let change = |body| app.patch("/user/me").by(&ann).json(body).send();

        let refused = change(json!({ "display_name": "", "bio": "x".repeat(501), "email": "nowhere" })).await.expect(422);
        let named: Vec<_> = refused.body["errors"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(named, ["bio", "display_name", "email"]);
        change(json!({ "role": "admin" })).await.expect(422);
        change(json!({ "email": "BOB@example.org" })).await.expect(409);
        let same = change(json!({})).await.expect(200);
        assert_eq!(same.header("etag"), Some("\"1\""), "nothing changed");
    }

    async fn a_deleted_account_is_gone_at_once_for_everybody(app: Installation) {
        app.register("ann").await;
        app.register("bob").await;
        let (ann, bob) = (app.sign_in("ann").await, app.sign_in("bob").await);

        app.delete("/user/me").by(&ann).header("if-match", "\"9\"").send().await.expect(412);
        app.delete("/user/me").by(&ann).send().await.expect(204);

        assert_eq!(app.accepts(&ann).await, 401);
        app.refresh(&ann.refresh).await;
        app.get("/user/users/ann").by(&bob).send().await.expect(404);
        let found = app.get("/user/users?search=ann").by(&bob).send().await.expect(200);
        assert_eq!(found.body["items"], json!([]));
        let login = json!({ "username": "ann", "password": "correct horse battery staple" });
        assert_ne!(app.post("/auth/login").json(login).send().await.status, 200);
    }
}
