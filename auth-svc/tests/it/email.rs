//! Showing that an address is one's own.

use std::time::Duration;

use irongate_test_identity::{Installation, json, on_both_databases};
use irongate_test_servers::eventually;

const VERIFY: &str = "Confirm your e-mail address";

on_both_databases! {
    async fn who_registers_gets_a_link_that_verifies_the_address(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let token = app.mailed_token("ann@example.org", VERIFY, 1).await;

        app.post("/auth/email/verify").json(json!({ "token": token })).send().await.expect(204);

        assert_eq!(app.sign_in("ann").await.user["email_verified"], true);
        eventually("user-svc knows", Duration::from_secs(10), || async {
            app.get("/user/me").by(&ann).send().await.body["email_verified"] == true
        })
        .await;
        app.post("/auth/email/verify").json(json!({ "token": token })).send().await.expect(410);
        app.post("/auth/email/send").by(&ann).send().await.expect(202);
        assert_eq!(app.mails_now("ann@example.org", VERIFY).len(), 1, "nothing is left to verify");
    }

    async fn another_address_has_to_be_verified_anew(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let old = app.mailed_token("ann@example.org", VERIFY, 1).await;

        app.patch("/user/me").by(&ann).json(json!({ "email": "ann@example.com" })).send().await.expect(200);

        let new = app.mailed_token("ann@example.com", VERIFY, 1).await;
        app.post("/auth/email/verify").json(json!({ "token": old })).send().await.expect(410);
        app.post("/auth/email/verify").json(json!({ "token": new })).send().await.expect(204);
        let login = json!({ "username": "ann@example.com", "password": "correct horse battery staple" });
        app.post("/auth/login").json(login).send().await.expect(200);
    }

    async fn an_old_session_cannot_move_the_address(app: Installation) {
        app.register("ann").await;
        let session = app.sign_in("ann").await;
        app.clock.advance(Duration::from_secs(3600));
        let session = app.refresh(&session.refresh).await.expect(200).signed_in();

        let refused = app.patch("/user/me").by(&session).json(json!({ "email": "thief@example.com" })).send().await.expect(403);

        assert_eq!(refused.body["type"], "urn:irongate:problem:sign-in-again");
        app.patch("/user/me").by(&session).json(json!({ "bio": "Hello." })).send().await.expect(200);
        app.delete("/user/me").by(&session).send().await.expect(403);
    }
}
