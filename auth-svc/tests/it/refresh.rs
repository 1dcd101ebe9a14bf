//! Refresh tokens: rotation, families, grace.

use std::time::Duration;

use futures_util::future::join_all;
use irongate_shared::config::Period;
use irongate_test_identity::{Answer, Backend, Installation, Setup, json, on_both_databases};

/// Past the grace in which a replaced token still gives its successor.
const LATER: Duration = Duration::from_secs(31);

#[tokio::test]
async fn a_hundred_refreshes_with_one_token_leave_one_family_sqlite() {
    a_hundred_refreshes_with_one_token_leave_one_family(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_hundred_refreshes_with_one_token_leave_one_family_postgres() {
    a_hundred_refreshes_with_one_token_leave_one_family(Backend::Postgres).await;
}

async fn a_hundred_refreshes_with_one_token_leave_one_family(backend: Backend) {
    // Long enough for a machine that does other things: a crowd takes its time.
    let grace = Duration::from_secs(300);
    let mut setup = Setup::on(backend);
    setup.auth.refresh_grace = Period::from_secs(grace.as_secs());
    let app = Installation::start_with(setup).await;
    app.register("ann").await;
    let session = app.sign_in("ann").await;

    let answers = join_all((0..100).map(|_| refresh_patiently(&app, &session.refresh))).await;

    let mut successors: Vec<_> =
        answers.into_iter().map(|answer| answer.expect(200).signed_in().refresh).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1, "all were given the same successor");
    let newest = app.refresh(&successors[0]).await.expect(200).signed_in();
    let listed = app.get("/auth/sessions").by(&newest).send().await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    app.clock.advance(grace + Duration::from_secs(1));
    app.refresh(&session.refresh).await.expect(401);
    app.refresh(&newest.refresh).await.expect(401);
}

/// As a client does that is told to come back.
async fn refresh_patiently(app: &Installation, token: &str) -> Answer {
    loop {
        let answer = app.refresh(token).await;
        if answer.status != 503 {
            return answer;
        }
        assert!(answer.header("retry-after").is_some());
    }
}

on_both_databases! {
    async fn a_refresh_token_is_replaced_at_every_use(app: Installation) {
        app.register("ann").await;
        let mut session = app.sign_in("ann").await;

        for _ in 0..3 {
            let next = app.refresh(&session.refresh).await.expect(200).signed_in();
            assert_ne!(next.refresh, session.refresh);
            assert_ne!(next.access, session.access);
            assert_eq!(app.accepts(&next).await, 200);
            session = next;
        }
    }

    async fn a_replaced_refresh_token_revokes_its_family(app: Installation) {
        app.register("ann").await;
        let (stolen, other) = (app.sign_in("ann").await, app.sign_in("ann").await);
        let newest = app.refresh(&stolen.refresh).await.expect(200).signed_in();
        app.clock.advance(LATER);

        let answer = app.refresh(&stolen.refresh).await.expect(401);

        assert_eq!(answer.body["type"], "urn:irongate:problem:session-ended");
        app.refresh(&newest.refresh).await.expect(401);
        tokio::time::sleep(irongate_test_identity::REVOCATION_LAG).await;
        assert_eq!(app.accepts(&newest).await, 401);
        assert_eq!(app.accepts(&other).await, 200, "another session is another family");
        app.refresh(&other.refresh).await.expect(200);
    }

    async fn two_tabs_that_refresh_at_once_both_go_on(app: Installation) {
        app.register("ann").await;
        let session = app.sign_in("ann").await;

        let first = app.refresh(&session.refresh).await.expect(200).signed_in();
        let newest = app.refresh(&first.refresh).await.expect(200).signed_in();
        let second = app.refresh(&session.refresh).await.expect(200).signed_in();

        assert_eq!(second.refresh, newest.refresh, "whoever comes late gets the newest");
        app.clock.advance(LATER);
        app.refresh(&second.refresh).await.expect(200);
    }

    async fn a_browser_refreshes_with_its_cookie_and_no_body(app: Installation) {
        app.register("ann").await;
        let login = json!({ "username": "ann", "password": "correct horse battery staple" });
        let login = app.post("/auth/login").json(login).send().await.expect(200);
        let cookie = login.cookie().unwrap();

        let empty = app.post("/auth/refresh").header("cookie", cookie).send().await.expect(200);
        let braces = app.post("/auth/refresh").header("cookie", cookie).json(json!({})).send().await.expect(200);

        assert!(empty.body.get("refresh_token").is_none());
        assert_eq!(empty.body["user"]["username"], "ann");
        assert_eq!(empty.cookie(), braces.cookie(), "within the grace, one successor");
        assert_ne!(empty.cookie().unwrap(), cookie);
    }

    async fn a_page_of_another_origin_cannot_use_the_cookie(app: Installation) {
        app.register("ann").await;
        let login = json!({ "username": "ann", "password": "correct horse battery staple" });
        let login = app.post("/auth/login").json(login).send().await.expect(200);
        let from = |site: &'static str| {
            app.post("/auth/refresh").header("cookie", login.cookie().unwrap()).header("sec-fetch-site", site).send()
        };

        from("same-site").await.expect(403);
        from("cross-site").await.expect(403);
        from("same-origin").await.expect(200);
    }

    async fn what_is_no_refresh_token_is_refused_and_the_cookie_removed(app: Installation) {
        let nonsense = app.refresh("nonsense").await.expect(401);
        assert_eq!(nonsense.header("set-cookie"), None);
        let unknown = app.post("/auth/refresh").header("cookie", "__Secure-refresh=abc").send().await.expect(401);
        assert!(unknown.header("set-cookie").unwrap().contains("Max-Age=0"));
        app.post("/auth/refresh").send().await.expect(401);
        app.post("/auth/refresh").json(json!({ "refresh_token": 7 })).send().await.expect(422);
    }

    async fn a_session_that_rests_too_long_runs_out(app: Installation) {
        app.register("ann").await;
        let session = app.sign_in("ann").await;
        app.clock.advance(Duration::from_secs(29 * 86_400));
        let session = app.refresh(&session.refresh).await.expect(200).signed_in();
        app.clock.advance(Duration::from_secs(30 * 86_400));

        app.refresh(&session.refresh).await.expect(401);
    }
}
