//! The second factor.

use std::time::Duration;

use irongate_test_identity::{Answer, Installation, SignedIn, app_code, json, on_both_databases};

struct Ann {
    session: SignedIn,
    secret: String,
    recovery_codes: Vec<String>,
}

/// Ann, who has switched two-step sign-in on.
async fn ann(app: &Installation) -> Ann {
    app.register("ann").await;
    let session = app.sign_in("ann").await;
    let setup = app.post("/auth/mfa/totp").by(&session).json(json!({})).send().await.expect(200).body;
    let secret = setup["secret"].as_str().unwrap().to_owned();
    assert!(setup["otpauth_url"].as_str().unwrap().contains(&secret));
    let code = app_code(&secret, app.clock.now().as_secs());
    let confirmed = app
        .post("/auth/mfa/totp/confirm")
        .by(&session)
        .json(json!({ "code": code }))
        .send()
        .await
        .expect(200);
    let codes = confirmed.body["recovery_codes"].as_array().unwrap();
    let recovery_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    app.clock.advance(Duration::from_secs(60));
    Ann { session, secret, recovery_codes }
}

async fn challenge(app: &Installation) -> String {
    let login = json!({ "username": "ann", "password": "correct horse battery staple", "refresh": "body" });
    let answer = app.post("/auth/login").json(login).send().await.expect(200).body;
    assert_eq!((&answer["mfa_required"], &answer["methods"]), (&json!(true), &json!(["totp", "recovery"])));
    assert!(answer.get("access_token").is_none());
    answer["mfa_token"].as_str().unwrap().to_owned()
}

async fn verify(app: &Installation, mfa_token: &str, code: &str) -> Answer {
    app.post("/auth/mfa/verify").json(json!({ "mfa_token": mfa_token, "code": code })).send().await
}

on_both_databases! {
    async fn a_code_of_the_app_is_asked_for_and_good_once(app: Installation) {
        let ann = ann(&app).await;
        let code = app_code(&ann.secret, app.clock.now().as_secs());
        let (first, second) = (challenge(&app).await, challenge(&app).await);

        let session = verify(&app, &first, &code).await.expect(200).signed_in();

        assert_eq!(app.accepts(&session).await, 200);
        app.refresh(&session.refresh).await.expect(200);
        let replayed = verify(&app, &second, &code).await.expect(401);
        assert_eq!(replayed.body["type"], "urn:irongate:problem:wrong-code");
        verify(&app, &first, &code).await.expect(401);
    }

    async fn a_recovery_code_does_instead_and_is_good_once(app: Installation) {
        let ann = ann(&app).await;
        let code = ann.recovery_codes[3].to_lowercase();

        verify(&app, &challenge(&app).await, &code).await.expect(200);

        verify(&app, &challenge(&app).await, &code).await.expect(401);
        let factors = app.get("/auth/mfa").by(&ann.session).send().await.expect(200).body;
        assert_eq!(factors, json!({ "totp": true, "passkeys": 0, "recovery_codes_left": 9 }));
    }

    async fn codes_cannot_be_guessed(app: Installation) {
        let ann = ann(&app).await;
        let token = challenge(&app).await;
        for _ in 0..5 {
            verify(&app, &token, "000000").await.expect(401);
        }

        let over = verify(&app, &token, &app_code(&ann.secret, app.clock.now().as_secs())).await.expect(401);
        assert_eq!(over.body["type"], "urn:irongate:problem:sign-in-over");

        let token = challenge(&app).await;
        verify(&app, &token, "000000").await.expect(401);
        let waits = verify(&app, &token, &ann.recovery_codes[0]).await.expect(429);
        assert!(waits.header("retry-after").is_some(), "a new challenge is no new beginning");
    }

    async fn a_challenge_runs_out(app: Installation) {
        let ann = ann(&app).await;
        let token = challenge(&app).await;
        app.clock.advance(Duration::from_secs(301));

        verify(&app, &token, &ann.recovery_codes[0]).await.expect(401);
        verify(&app, "nonsense", &ann.recovery_codes[0]).await.expect(401);
    }

    async fn it_is_switched_off_with_a_code(app: Installation) {
        let ann = ann(&app).await;
        let end = |code: String| app.call("DELETE".parse().unwrap(), "/auth/mfa/totp").by(&ann.session).json(json!({ "code": code })).send();

        app.post("/auth/mfa/totp").by(&ann.session).json(json!({})).send().await.expect(409);
        end("000000".to_owned()).await.expect(422);
        end(app_code(&ann.secret, app.clock.now().as_secs())).await.expect(204);

        assert_eq!(app.accepts(&app.sign_in("ann").await).await, 200);
        app.mails("ann@example.org", "Two-step sign-in was switched off", 1).await;
    }

    async fn nothing_is_asked_for_before_a_code_was_shown(app: Installation) {
        app.register("ann").await;
        let session = app.sign_in("ann").await;
        app.post("/auth/mfa/totp/confirm").by(&session).json(json!({ "code": "000000" })).send().await.expect(409);
        app.post("/auth/mfa/totp").by(&session).json(json!({})).send().await.expect(200);
        app.post("/auth/mfa/totp/confirm").by(&session).json(json!({ "code": "000000" })).send().await.expect(422);

        app.sign_in("ann").await;

        app.clock.advance(Duration::from_secs(3600));
        let old = app.refresh(&session.refresh).await.expect(200).signed_in();
        app.post("/auth/mfa/totp").by(&old).json(json!({})).send().await.expect(403);
    }
}
