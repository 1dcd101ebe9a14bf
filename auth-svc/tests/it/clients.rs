//! Services and their tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use irongate_test_identity::{Answer, Installation, on_both_databases};

async fn form(app: &Installation, path: &str, form: &str, authorization: Option<String>) -> Answer {
    let mut request = app
        .client
        .post(app.url(path, 0))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    Answer::of(path, request.send().await.unwrap()).await
}

fn secret_of(app: &Installation, client: &str) -> String {
    let secret = irongate_shared::peer::client_secret(&app.platform, client).unwrap();
    URL_SAFE_NO_PAD.encode(secret.expose())
}

async fn token(app: &Installation, client: &str) -> String {
    let asked =
        format!("grant_type=client_credentials&client_id={client}&client_secret={}", secret_of(app, client));
    let answer = form(app, "/auth/token", &asked, None).await.expect(200);
    answer.body["access_token"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn a_service_gets_a_token_of_its_scopes_and_no_others(app: Installation) {
        let secret = secret_of(&app, "chat-svc");
        let asked = |more: &str| format!("grant_type=client_credentials&client_id=chat-svc&client_secret={secret}{more}");

        let all = form(&app, "/auth/token", &asked(""), None).await.expect(200);
        let one = form(&app, "/auth/token", &asked("&scope=users:read"), None).await.expect(200);

        assert_eq!((all.body["scope"].as_str(), one.body["scope"].as_str()), (Some("events:write users:read"), Some("users:read")));
        assert_eq!((all.body["token_type"].as_str(), all.body["expires_in"].as_i64()), (Some("Bearer"), Some(600)));
        form(&app, "/auth/token", &asked("&scope=tokens:read"), None).await.expect(422);
        form(&app, "/auth/token", "grant_type=password", None).await.expect(422);
        form(&app, "/auth/token", "nonsense", None).await.expect(400);
        form(&app, "/auth/token", "grant_type=client_credentials&client_id=chat-svc&client_secret=AAAA", None).await.expect(401);
        form(&app, "/auth/token", "grant_type=client_credentials", Some("Basic bm9ib2R5Og==".to_owned())).await.expect(401);
    }

    async fn a_services_token_is_no_users_and_the_reverse(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let service = token(&app, "chat-svc").await;
        let lookup = |bearer: String| {
            app.post("/user/lookup").bearer(&bearer).json(irongate_test_identity::json!({ "ids": [ann.user["id"]] })).send()
        };

        let found = lookup(service.clone()).await.expect(200);
        assert_eq!(found.body["items"][0]["username"], "ann");
        lookup(token(&app, "user-svc").await).await.expect(403);
        lookup(ann.access.clone()).await.expect(200);
        app.get("/user/me").bearer(&service).send().await.expect(401);
        app.get("/auth/sessions").bearer(&service).send().await.expect(401);
        let event = irongate_test_identity::json!({ "type": "email_verified", "id": ann.user["id"], "user": ann.user["id"], "email": "x@example.org", "at": "2026-01-31T12:00:00.000Z" });
        app.post("/user/events").by(&ann).json(event.clone()).send().await.expect(401);
        app.post("/user/events").bearer(&token(&app, "gateway").await).json(event).send().await.expect(403);
    }

    async fn introspection_says_whether_a_token_is_valid(app: Installation) {
        app.register("ann").await;
        let ann = app.sign_in("ann").await;
        let gateway = format!("Bearer {}", token(&app, "gateway").await);
        let introspect = async |token: &str| {
            form(&app, "/auth/introspect", &format!("token={token}"), Some(gateway.clone())).await.expect(200).body
        };

        let active = introspect(&ann.access).await;
        assert_eq!((active["active"].as_bool(), &active["sub"], active["username"].as_str()), (Some(true), &ann.user["id"], Some("ann")));
        app.post("/auth/logout").by(&ann).send().await.expect(204);
        assert_eq!(introspect(&ann.access).await, irongate_test_identity::json!({ "active": false }));
        assert_eq!(introspect("nonsense").await, irongate_test_identity::json!({ "active": false }));
        form(&app, "/auth/introspect", "token=x", Some(format!("Bearer {}", ann.access))).await.expect(401);
        form(&app, "/auth/introspect", "token=x", Some(format!("Bearer {}", token(&app, "chat-svc").await))).await.expect(403);
    }
}
