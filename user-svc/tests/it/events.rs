//! What the services tell each other, and what happens when one is away.

use std::time::Duration;

use irongate_shared::clock::Clock;
use irongate_test_identity::{Backend, Installation, Service, Setup, json, on_both_databases};
use irongate_test_servers::eventually;

on_both_databases! {
    async fn while_auth_svc_is_away_nothing_is_lost_and_rights_end_at_once(app: Installation) {
        app.register_admin("boss").await;
        let (ann, bob) = (app.register("ann").await, app.register("bob").await);
        let boss = app.sign_in("boss").await;
        let (as_ann, as_bob) = (app.sign_in("ann").await, app.sign_in("bob").await);
        app.mailed_token("bob@example.org", "Confirm your e-mail address", 1).await;
        app.cut(Service::Auth);

        for n in 0..5 {
            app.patch("/user/me").by(&as_ann).json(json!({ "display_name": format!("Ann {n}") })).send().await.expect(200);
        }
        let lock = format!("/user/admin/users/{}", bob["id"].as_str().unwrap());
        app.patch(&lock).by(&boss).json(json!({ "locked": true })).send().await.expect(200);

        assert_eq!(app.accepts(&as_bob).await, 401, "what security hangs on does not wait");
        app.refresh(&as_bob.refresh).await.expect(503);
        assert_eq!(app.sign_in("ann").await.user["display_name"], "ann", "auth-svc was told nothing yet");

        app.mend(Service::Auth);
        eventually("auth-svc knows Ann's last name", Duration::from_secs(20), || async {
            app.refresh(&as_ann.refresh).await.body["user"]["display_name"] == "Ann 4"
        })
        .await;
        eventually("auth-svc knows that Bob is locked", Duration::from_secs(20), || async {
            app.refresh(&as_bob.refresh).await.status == 401
        })
        .await;
        assert_eq!(app.accepts(&as_ann).await, 200, "a name takes no rights");

        eventually("chat-svc was told everything", Duration::from_secs(20), || async { app.told_chat().len() >= 9 }).await;
        let told = app.told_chat();
        let versions: Vec<_> =
            told.iter().filter(|event| event["user"]["id"] == ann["id"]).map(|event| event["version"].as_i64().unwrap()).collect();
        assert_eq!(versions, [1, 2, 3, 4, 5, 6], "in order, once each");
    }

    async fn an_event_told_twice_or_late_changes_nothing(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        eventually("the registration is told", Duration::from_secs(10), || async { !app.told_chat().is_empty() }).await;
        let registered = app.told_chat()[0].clone();
        app.patch("/user/me").by(&ann).json(json!({ "display_name": "Ann Lee" })).send().await.expect(200);
        eventually("auth-svc knows", Duration::from_secs(10), || async {
            app.refresh(&ann.refresh).await.body["user"]["display_name"] == "Ann Lee"
        })
        .await;
        app.mails("ann@example.org", "Confirm your e-mail address", 1).await;
        let peer = irongate_shared::peer::Peer::new(&app.platform, "user-svc").unwrap();

        for _ in 0..3 {
            peer.post("/auth/events", &registered).await.unwrap();
        }

        assert_eq!(app.sign_in("ann").await.user["display_name"], "Ann Lee");
        // Mails leave in order: once this one is there, no other is on its way.
        app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send().await.expect(202);
        app.mails("ann@example.org", "Choose a new password", 1).await;
        assert_eq!(app.mails_now("ann@example.org", "Confirm your e-mail address").len(), 1);
    }

    async fn events_of_one_user_arrive_in_order_though_the_clocks_of_two_replicas_differ(app: Installation) {
        let mut app = app;
        let slow = Clock::shifted();
        app.clock.advance(Duration::from_secs(60));
        app.add_user_at(Setup::on(Backend::Sqlite).user, slow).await;
        let user = app.register("ann").await;
        let ann = app.sign_in("ann").await;
        app.cut(Service::Chat);

        for (n, replica) in [0, 1, 0, 1].into_iter().enumerate() {
            let change = json!({ "display_name": format!("Ann {n}") });
            app.patch("/user/me").replica(replica).by(&ann).json(change).send().await.expect(200);
        }

        app.mend(Service::Chat);
        let versions = || {
            let told = app.told_chat().into_iter().filter(|event| event["user"]["id"] == user["id"]);
            told.map(|event| event["version"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        eventually("chat-svc was told everything", Duration::from_secs(20), || async { versions().len() >= 5 }).await;
        assert_eq!(versions(), [1, 2, 3, 4, 5]);
    }

    async fn a_deleted_account_is_erased_everywhere_some_time_later(app: Installation) {
        let mut app = app;
        let user = app.register("ann").await;
        let ann = app.sign_in("ann").await;
        app.post("/auth/mfa/totp").by(&ann).json(json!({})).send().await.expect(200);
        app.delete("/user/me").by(&ann).send().await.expect(204);
        let again = json!({ "username": "ann", "email": "other@example.org", "password": "correct horse battery staple" });
        app.post("/user/register").json(again.clone()).send().await.expect(409);

        app.clock.advance(Duration::from_secs(31 * 86_400));
        // The work is done at start and then now and then.
        app.add_user(Setup::on(Backend::Sqlite).user).await;

        eventually("chat-svc is told", Duration::from_secs(20), || async {
            app.told_chat().iter().any(|event| event["status"] == "erased" && event["user"]["id"] == user["id"] && event["user"]["email"] == "")
        })
        .await;
        let id = user["id"].as_str().unwrap();
        let kept = async |table: &str| {
            let sql = format!("SELECT COUNT(*) AS number FROM {table} WHERE user_id = '{id}'");
            app.number(&sql).await
        };
        eventually("auth-svc was told", Duration::from_secs(20), || async { kept("credentials").await == 0 }).await;
        for table in ["sessions", "mfa_totp", "mfa_recovery_codes", "mfa_challenges", "passkeys", "mailed_links", "avatars"] {
            assert_eq!(kept(table).await, 0, "{table}");
        }
        assert_eq!(kept("audit_log").await, 1, "that the account was erased, and nothing else");
        app.post("/user/register").json(again).send().await.expect(201);
        assert_ne!(app.sign_in("ann").await.user["id"], user["id"]);
    }
}
