//! Redis is there, is away, stands still, comes back: what is revoked is refused, and what is valid accepted.

use irongate_test_identity::{Backend, Installation, Setup, SignedIn, json};
use irongate_test_servers::Redis;

#[tokio::test]
async fn redis_decides_about_no_token_sqlite() {
    redis_decides_about_no_token(Backend::Sqlite).await;
}

#[tokio::test]
async fn redis_decides_about_no_token_postgres() {
    redis_decides_about_no_token(Backend::Postgres).await;
}

async fn redis_decides_about_no_token(backend: Backend) {
    let redis = Redis::start();
    let app = Installation::start_with(Setup { redis: Some(redis.url()), ..Setup::on(backend) }).await;
    app.register_admin("boss").await;
    let boss = app.sign_in("boss").await;
    let mut stays = app.register_and_sign_in("stays").await;

    let troubles: [fn(&Redis); 5] = [|_| {}, Redis::pause, Redis::resume, Redis::stop, Redis::start_again];
    for (nth, trouble) in troubles.into_iter().enumerate() {
        let name = |kind: &str| format!("{kind}{nth}");
        let (leaves, everywhere) =
            (app.register_and_sign_in(&name("leaves")).await, app.register_and_sign_in(&name("all")).await);
        let (locked, deletes) = (
            app.register_and_sign_in(&name("locked")).await,
            app.register_and_sign_in(&name("deletes")).await,
        );
        for session in [&leaves, &everywhere, &locked, &deletes] {
            assert_eq!(accepted(&app, session).await, [200, 200]);
        }
        trouble(&redis);
        assert_eq!(accepted(&app, &stays).await, [200, 200]);

        app.post("/auth/logout").by(&leaves).send().await.expect(204);
        assert_eq!(accepted(&app, &leaves).await, [401, 401]);
        app.post("/auth/logout-all").by(&everywhere).send().await.expect(204);
        assert_eq!(accepted(&app, &everywhere).await, [401, 401]);
        let path = format!("/user/admin/users/{}", locked.user["id"].as_str().unwrap());
        app.patch(&path).by(&boss).json(json!({ "locked": true })).send().await.expect(200);
        assert_eq!(accepted(&app, &locked).await, [401, 401]);
        app.delete("/user/me").by(&deletes).send().await.expect(204);
        assert_eq!(accepted(&app, &deletes).await, [401, 401]);

        assert_eq!(accepted(&app, &stays).await, [200, 200]);
        stays = app.refresh(&stays.refresh).await.expect(200).signed_in();
    }
}

/// What user-svc and auth-svc say to a token.
async fn accepted(app: &Installation, session: &SignedIn) -> [u16; 2] {
    [
        app.get("/user/me").by(session).send().await.status,
        app.get("/auth/sessions").by(session).send().await.status,
    ]
}
