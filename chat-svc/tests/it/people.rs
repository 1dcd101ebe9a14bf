//! Names and pictures: from tokens, from user-svc, and to everybody who shows them.

use std::time::Duration;

use actix_web::{App as WebApp, HttpRequest, HttpResponse, HttpServer, web};
use irongate_shared::id::UserId;
use serde_json::{Value, json};

use crate::support::{App, Backend, Stage, User, on_both};

on_both! {
    async fn a_new_name_reaches_everybody_who_shares_a_room(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let (mut at_ann, mut at_bob) = (ann.connect().await, bob.connect().await);
        at_bob.join(&room).await;

        let renamed = app.token(ann.id, ann.session, "ann", "Ann of Cleves", Duration::from_secs(600));
        assert_eq!(at_ann.ask(json!({ "t": "auth", "token": renamed })).await["t"], "ok");

        let told = at_bob.next("user").await;
        assert_eq!((&told["user"]["id"], &told["user"]["display_name"]), (&json!(ann.id), &json!("Ann of Cleves")));
        let members = bob.get(&format!("/chat/rooms/{room}/members")).await.expect(200);
        assert!(members.to_string().contains("Ann of Cleves"), "{members}");
    }
}

on_both! {
    async fn a_new_name_reaches_those_who_read_what_was_written_under_the_old_one(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        let other = ann.create_room("public", "Elsewhere").await;
        bob.join_room(&room).await;
        bob.send(&room, "I was here").await;
        bob.delete(&format!("/chat/rooms/{room}/members/me")).await.expect(204);
        let mut at_ann = ann.connect().await;
        at_ann.join(&room).await;
        at_ann.join(&other).await;

        let renamed = app.token(bob.id, bob.session, "bob", "Robert", Duration::from_secs(600));
        User { token: renamed, ..bob.clone() }.connect().await;

        assert_eq!(at_ann.next("user").await["user"]["display_name"], "Robert");
        assert!(at_ann.hears_no("user").await);
    }
}

on_both! {
    async fn what_user_svc_tells_is_so_in_every_open_window(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_ann = ann.connect().await;
        at_ann.join(&room).await;
        let service = User { token: app.service_token("user-svc", "events:write"), ..bob.clone() };
        let event = |status: &str, name: &str, second: u32| json!({
            "type": "account_changed",
            "id": uuid::Uuid::now_v7(),
            "status": status,
            "version": second,
            "actor": null,
            "at": format!("2099-01-01T00:00:{second:02}.000Z"),
            "user": {
                "id": bob.id, "username": "bob", "email": "b@example.org", "email_verified": true,
                "display_name": name, "bio": "", "role": "user", "avatar_url": null,
                "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
            },
        });

        bob.post("/chat/events", event("active", "Robert", 1)).await.expect(401);
        let weak = User { token: app.service_token("gateway", "tokens:read"), ..bob.clone() };
        weak.post("/chat/events", event("active", "Robert", 1)).await.expect(403);
        service.post("/chat/events", event("active", "Robert", 2)).await.expect(204);
        service.post("/chat/events", event("active", "Robert", 2)).await.expect(204);
        service.post("/chat/events", event("active", "an older name", 1)).await.expect(204);
        assert_eq!(at_ann.next("user").await["user"]["display_name"], "Robert");
        service.post("/chat/events", event("deleted", "Robert", 3)).await.expect(204);
        assert_eq!(at_ann.next("user").await["user"]["display_name"], "Deleted user");
        service.post("/chat/events", event("erased", "", 4)).await.expect(204);

        let left = at_ann.next("member").await;
        assert_eq!((&left["change"], &left["user"]["id"]), (&json!("left"), &json!(bob.id)));
        assert!(at_ann.hears_no("user").await);
    }
}

/// A gateway that knows one user, and asks for a token as user-svc does.
fn user_svc(known: UserId) -> String {
    let server = HttpServer::new(move || {
        let granted = || async { HttpResponse::Ok().json(json!({ "access_token": "t", "expires_in": 600 })) };
        WebApp::new().route("/auth/token", web::post().to(granted)).route(
            "/user/lookup",
            web::post().to(move |request: HttpRequest, body: web::Json<Value>| async move {
                if !request.headers().contains_key("authorization") {
                    return HttpResponse::Unauthorized().finish();
                }
                let asked = body["ids"] == json!([known]);
                let profile =
                    json!({ "id": known, "username": "zoe", "display_name": "Zoë", "avatar_url": null });
                HttpResponse::Ok().json(json!({ "items": if asked { vec![profile] } else { Vec::new() } }))
            }),
        )
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_was_never_here_can_be_written_to_and_nobody_cannot() {
    let zoe = UserId::new();
    let mut stage = Stage::set(Backend::Sqlite).await;
    stage.gateway = user_svc(zoe);
    let app = App::start_on(stage, |_| {}).await;
    let ann = app.user("ann");

    let room = ann.post("/chat/dms", json!({ "user": zoe })).await.expect(201);

    assert_eq!(room["peer"]["display_name"], "Zoë");
    ann.post("/chat/dms", json!({ "user": UserId::new() })).await.expect(404);
    let private = ann.create_room("private", "Secret").await;
    ann.put(&format!("/chat/rooms/{private}/members/{zoe}"), json!({})).await.expect(204);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_user_svc_those_who_are_known_can_be_written_to() {
    let app = App::start(Backend::Sqlite).await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    bob.connect().await;

    ann.post("/chat/dms", json!({ "user": bob.id })).await.expect(201);

    let problem = ann.post("/chat/dms", json!({ "user": UserId::new() })).await.expect(503);
    assert_eq!(problem["type"], "urn:irongate:problem:unavailable");
    app.stop().await;
}
