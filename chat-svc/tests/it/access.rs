//! Whoever is not in a private room cannot tell it from one that does not exist, whatever they ask.

use serde_json::{Value, json};

use crate::support::{App, Socket, User, on_both};

/// What the description of the API says can be asked of a room, with a body that would be right.
fn body(method: &str, path: &str) -> Option<Value> {
    match (method, path.trim_start_matches("/chat/rooms/{room}")) {
        ("get" | "delete", _) | ("put", "/members/me" | "/messages/{seq}/reactions/{emoji}") => None,
        ("patch", "") => Some(json!({ "topic": "mine" })),
        ("put", "/members/{user}") => Some(json!({})),
        ("put", "/bans/{user}") => Some(json!({})),
        ("put", "/mutes/{user}") => Some(json!({ "until": "2099-01-01T00:00:00.000Z" })),
        ("put", "/read") => Some(json!({ "seq": 1 })),
        ("post", "/messages") => Some(json!({ "cid": "mine", "body": "hello?" })),
        ("patch", "/messages/{seq}") => Some(json!({ "body": "changed" })),
        ("post", "/attachments") => Some(json!({})),
        (method, path) => panic!("{method} {path} is new: say here what a right body of it is"),
    }
}

/// Everything that can be asked of a room over HTTP.
async fn operations(app: &App) -> Vec<(String, String)> {
    let document = app.http.get(format!("{}/chat/openapi.json", app.base)).send().await.unwrap();
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of_rooms = paths.iter().filter(|(path, _)| path.contains("{room}"));
    let operations = of_rooms.flat_map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        methods
            .filter(|method| ["get", "put", "post", "patch", "delete"].contains(&method.as_str()))
            .map(|method| (method.clone(), path.clone()))
    });
    operations.collect()
}

/// What the service says, without what names the request or the room.
async fn answer(user: &User, method: &str, path: &str, room: &str, other: &User) -> (u16, Value) {
    let filled = path
        .replace("{room}", room)
        .replace("{user}", other.id.as_str())
        .replace("{seq}", "2")
        .replace("{emoji}", "%F0%9F%8C%B1");
    let filled = if filled.ends_with("/attachments") { format!("{filled}?name=x") } else { filled };
    let answer = user.ask(method.to_uppercase().parse().unwrap(), &filled, body(method, path)).await;
    let mut said = answer.body;
    if let Some(said) = said.as_object_mut() {
        said.remove("request_id");
        said.remove("instance");
    }
    (answer.status, said)
}

/// What a WebSocket says to a frame, without the room's name.
async fn said(socket: &mut Socket, mut frame: Value, room: &str) -> Value {
    frame["room"] = json!(room);
    let mut said = socket.ask(frame).await;
    said.as_object_mut().unwrap().remove("id");
    said
}

on_both! {
    async fn a_private_room_is_like_none_to_whoever_is_not_or_no_longer_in_it(app) {
        let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
        let room = ann.create_room("private", "Secret").await;
        let mut at_bob = bob.connect().await;
        ann.put(&format!("/chat/rooms/{room}/members/{}", bob.id), json!({})).await.expect(204);
        at_bob.join(&room).await;
        ann.send(&room, "nobody else knows this").await;
        at_bob.next("msg").await;
        ann.delete(&format!("/chat/rooms/{room}/members/{}", bob.id)).await.expect(204);
        at_bob.next("left").await;
        let none = uuid::Uuid::now_v7().to_string();
        let mut at_eve = eve.connect().await;

        for (user, socket) in [(&bob, &mut at_bob), (&eve, &mut at_eve)] {
            for (method, path) in operations(app).await {
                let there = answer(user, &method, &path, &room, &ann).await;
                assert_eq!(there.0, 404, "{method} {path}: {there:?}");
                assert_eq!(there, answer(user, &method, &path, &none, &ann).await, "{method} {path}");
            }
            for frame in [
                json!({ "t": "join" }),
                json!({ "t": "join", "after": 0 }),
                json!({ "t": "send", "cid": "mine", "body": "hello?" }),
                json!({ "t": "edit", "seq": 2, "body": "changed" }),
                json!({ "t": "del", "seq": 2 }),
                json!({ "t": "react", "seq": 2, "emoji": "🌱", "on": true }),
                json!({ "t": "read", "seq": 2 }),
                json!({ "t": "hist" }),
            ] {
                let there = said(socket, frame.clone(), &room).await;
                assert_eq!(there["code"], "no_such_room", "{frame}: {there}");
                assert_eq!(there, said(socket, frame.clone(), &none).await, "{frame}");
            }
            socket.post(&json!({ "t": "typing", "room": room })).await;
            let found = user.get("/chat/search?q=nobody").await.expect(200);
            assert_eq!(found["items"], json!([]));
            assert_eq!(user.get("/chat/unread").await.expect(200)["items"], json!([]));
            for scope in ["mine", "public"] {
                let rooms = user.get(&format!("/chat/rooms?scope={scope}")).await.expect(200);
                assert_eq!(rooms["items"], json!([]), "{scope}");
            }
        }

        let mut at_ann = ann.connect().await;
        at_ann.join(&room).await;
        at_ann.post(&json!({ "t": "typing", "room": room })).await;
        at_ann.send(&room, "after", "still a secret").await;
        for kind in ["msg", "typing", "read", "member"] {
            assert!(at_bob.hears_no(kind).await, "{kind}");
            assert!(at_eve.hears_no(kind).await, "{kind}");
        }
        assert!(at_eve.hears_no("pres").await);
        let log = ann.bodies(&room).await;
        assert_eq!(log, ["nobody else knows this", "still a secret"]);
    }
}
