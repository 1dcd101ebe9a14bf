//! Guessing gets slower.

use std::time::Duration;

use irongate_test_identity::{Answer, Installation, json, on_both_databases};

async fn attempt(app: &Installation, name: &str, password: &str, from: &str) -> Answer {
    let login = json!({ "username": name, "password": password });
    app.post("/auth/login").json(login).header("x-forwarded-for", from).send().await
}

on_both_databases! {
    async fn after_five_wrong_passwords_the_next_attempt_waits(app: Installation) {
        app.register("ann").await;
        for _ in 0..6 {
            attempt(&app, "ann", "wrong password", "203.0.113.9").await.expect(401);
        }

        let refused = attempt(&app, "ann", "correct horse battery staple", "203.0.113.9").await.expect(429);

        assert_eq!(refused.header("retry-after"), Some("1"));
        attempt(&app, "ann", "correct horse battery staple", "203.0.113.10").await.expect(200);
        app.clock.advance(Duration::from_secs(2));
        attempt(&app, "ann", "correct horse battery staple", "203.0.113.9").await.expect(200);
        attempt(&app, "ann", "wrong password", "203.0.113.9").await.expect(401);
    }

    async fn a_name_that_nobody_has_is_limited_alike(app: Installation) {
        for _ in 0..6 {
            attempt(&app, "nobody", "wrong password", "203.0.113.9").await.expect(401);
        }

        attempt(&app, "nobody", "wrong password", "203.0.113.9").await.expect(429);
        attempt(&app, "somebody", "wrong password", "203.0.113.9").await.expect(401);
    }

    async fn whoever_guesses_from_everywhere_delays_the_owner_by_a_minute_at_most(app: Installation) {
        app.register("ann").await;
        let mut waited = false;
        for n in 0..40 {
            waited |= attempt(&app, "ann", "wrong password", &format!("198.51.100.{n}")).await.status == 429;
        }

        assert!(waited, "the name is slowed down");
        app.clock.advance(Duration::from_secs(61));
        attempt(&app, "ann", "correct horse battery staple", "203.0.113.9").await.expect(200);
    }

    async fn an_address_that_tries_many_names_is_slowed_down(app: Installation) {
        let mut waited = false;
        for n in 0..60 {
            waited |= attempt(&app, &format!("name{n}"), "wrong password", "203.0.113.9").await.status == 429;
        }

        assert!(waited);
    }
}
