//! Changing a password, by who knows it or by who reads the mail.

use std::time::Duration;

use irongate_test_identity::{Backend, Installation, Setup, UserSettings, json, on_both_databases};

const RESET: &str = "Choose a new password";

async fn status_of_login(app: &Installation, password: &str) -> u16 {
    app.post("/auth/login").json(json!({ "username": "ann", "password": password })).send().await.status
}

/// Of a user-svc whose passwords take a quarter of a second to compare, in which much can happen.
fn slow_to_compare() -> UserSettings {
    let mut settings = Setup::on(Backend::Sqlite).user;
    settings.bcrypt_cost = 12;
    settings
}

on_both_databases! {
    async fn a_changed_password_ends_all_other_sessions(app: Installation) {
        app.register("ann").await;
        let (here, elsewhere) = (app.sign_in("ann").await, app.sign_in("ann").await);
        let change = |current: &'static str, new: &'static str| {
            let body = json!({ "current_password": current, "new_password": new });
            app.post("/auth/password/change").by(&here).json(body).send()
        };

        let wrong = change("not the password", "a new and better one").await.expect(422);
        let weak = change("correct horse battery staple", "password1").await.expect(422);
        change("correct horse battery staple", "a new and better one").await.expect(204);

        assert!(wrong.body["errors"]["current_password"].is_array() && weak.body["errors"]["new_password"].is_array());
        assert_eq!((app.accepts(&here).await, app.accepts(&elsewhere).await), (200, 401));
        app.refresh(&elsewhere.refresh).await.expect(401);
        app.refresh(&here.refresh).await.expect(200);
        assert_eq!(status_of_login(&app, "correct horse battery staple").await, 401);
        assert_eq!(status_of_login(&app, "a new and better one").await, 200);
        app.mails("ann@example.org", "Your password was changed", 1).await;
    }

    async fn a_mailed_link_sets_a_new_password_once(app: Installation) {
        app.register("ann").await;
        let session = app.sign_in("ann").await;
        app.post("/auth/password/forgot").json(json!({ "email": "ANN@example.org" })).send().await.expect(202);
        let token = app.mailed_token("ann@example.org", RESET, 1).await;
        let reset = |new: &'static str| {
            app.post("/auth/password/reset").json(json!({ "token": token, "new_password": new })).send()
        };

        reset("short").await.expect(422);
        reset("a new and better one").await.expect(204);

        assert_eq!(app.accepts(&session).await, 401, "all sessions end");
        assert_eq!(status_of_login(&app, "a new and better one").await, 200);
        let again = reset("and yet another one").await.expect(410);
        assert_eq!(again.body["type"], "urn:irongate:problem:link-used-up");
    }

    async fn a_link_grows_old_and_a_later_one_replaces_it(app: Installation) {
        app.register("ann").await;
        let ask = || app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send();
        let reset = |token: String| {
            app.post("/auth/password/reset").json(json!({ "token": token, "new_password": "a new and better one" })).send()
        };
        ask().await.expect(202);
        let first = app.mailed_token("ann@example.org", RESET, 1).await;
        ask().await.expect(202);
        let second = app.mailed_token("ann@example.org", RESET, 2).await;

        reset(first).await.expect(410);
        app.clock.advance(Duration::from_secs(31 * 60));
        reset(second).await.expect(410);
        reset("nonsense".to_owned()).await.expect(410);
    }

    async fn a_sign_in_with_the_old_password_does_not_outlast_a_new_one(app: Installation) {
        let mut app = app;
        app.add_user(slow_to_compare()).await;
        let ann = json!({ "username": "ann", "email": "ann@example.org", "password": "correct horse battery staple" });
        app.post("/user/register").replica(1).json(ann).send().await.expect(201);
        app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send().await.expect(202);
        let token = app.mailed_token("ann@example.org", RESET, 1).await;

        let reset = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let new = json!({ "token": token, "new_password": "a new and better one" });
            app.post("/auth/password/reset").json(new).send().await.expect(204);
        };
        let (thief, ()) = tokio::join!(status_of_login(&app, "correct horse battery staple"), reset);

        assert_eq!(thief, 401);
        assert_eq!(app.number("SELECT COUNT(*) AS number FROM sessions").await, 0);
        assert_eq!(status_of_login(&app, "a new and better one").await, 200);
    }

    async fn of_a_reset_and_a_change_of_the_old_password_the_reset_stands(app: Installation) {
        let mut app = app;
        app.add_user(slow_to_compare()).await;
        let ann = json!({ "username": "ann", "email": "ann@example.org", "password": "correct horse battery staple" });
        app.post("/user/register").replica(1).json(ann).send().await.expect(201);
        let thief = app.sign_in("ann").await;
        app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send().await.expect(202);
        let token = app.mailed_token("ann@example.org", RESET, 1).await;

        let reset = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let new = json!({ "token": token, "new_password": "a new and better one" });
            app.post("/auth/password/reset").json(new).send().await.expect(204);
        };
        let change = json!({ "current_password": "correct horse battery staple", "new_password": "the thief's own" });
        let (change, ()) = tokio::join!(app.post("/auth/password/change").by(&thief).json(change).send(), reset);

        assert_ne!(change.status, 204);
        assert_eq!(status_of_login(&app, "a new and better one").await, 200);
    }

    async fn who_asks_for_a_link_does_not_learn_who_has_an_account(app: Installation) {
        app.register("ann").await;
        let ask = |email: &'static str| app.post("/auth/password/forgot").json(json!({ "email": email })).send();

        let (known, unknown) = (ask("ann@example.org").await.expect(202), ask("nobody@example.org").await.expect(202));

        assert_eq!(known.body, unknown.body);
        app.mails("ann@example.org", RESET, 1).await;
        assert!(app.mails_now("nobody@example.org", RESET).is_empty());
    }

    async fn nobodys_mailbox_is_flooded(app: Installation) {
        app.register("ann").await;
        for _ in 0..10 {
            app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send().await.expect(202);
        }
        app.mails("ann@example.org", RESET, 4).await;

        let mut refused = 0;
        for _ in 0..20 {
            let ask = app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send();
            refused += u32::from(ask.await.status == 429);
        }

        assert!(refused > 0, "whoever asks too often is told to wait");
        assert_eq!(app.mails_now("ann@example.org", RESET).len(), 4);
    }
}
