//! Sending, reading, changing.

use serde_json::{Value, json};

use crate::support::{User, on_both};

/// How many unread messages call the user by name, and how many there are at all.
async fn mentions(user: &User, room: &str) -> (Value, Value) {
    let shown = user.get(&format!("/chat/rooms/{room}")).await.expect(200);
    let listed = user.get("/chat/rooms").await.expect(200);
    let items = listed["items"].as_array().expect("items");
    let listed = items.iter().find(|item| item["id"] == room).expect("the room");
    assert_eq!(shown["mentions"], listed["mentions"]);
    (shown["mentions"].clone(), shown["unread"].clone())
}

on_both! {
    async fn a_message_sent_twice_is_stored_once_whichever_way_it_comes(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let path = format!("/chat/rooms/{room}/messages");
        let mut socket = ann.connect().await;

        let first = ann.post(&path, json!({ "cid": "c-1", "body": "hi" })).await.expect(201);
        let again = ann.post(&path, json!({ "cid": "c-1", "body": "other words" })).await.expect(201);
        let third = socket.send(&room, "c-1", "hi").await;

        assert_eq!(first, again);
        assert_eq!(third["seq"], first["seq"]);
        assert_eq!(ann.bodies(&room).await, ["hi"]);
    }

    async fn history_is_read_in_pages_both_ways(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        for number in 0..25 {
            ann.send(&room, &number.to_string()).await;
        }
        let path = format!("/chat/rooms/{room}/messages");
        let seqs = |page: &serde_json::Value| -> Vec<i64> {
            page["items"].as_array().unwrap().iter().map(|item| item["seq"].as_i64().unwrap()).collect()
        };

        let newest = ann.get(&format!("{path}?limit=10")).await.expect(200);
        let older = ann.get(&format!("{path}?limit=10&before={}", newest["next_cursor"].as_str().unwrap())).await.expect(200);
        let after = ann.get(&format!("{path}?limit=10&after=2")).await.expect(200);
        let around = ann.get(&format!("{path}?limit=4&around=10")).await.expect(200);

        assert_eq!(seqs(&newest), (17..=26).collect::<Vec<_>>());
        assert_eq!(seqs(&older), (7..=16).collect::<Vec<_>>());
        assert_eq!(seqs(&after), (3..=12).collect::<Vec<_>>());
        assert_eq!(seqs(&around), [8, 9, 10, 11]);
        ann.get(&format!("{path}?before=3&after=1")).await.expect(422);
    }

    async fn unread_counts_the_messages_of_others_until_they_are_read(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        ann.send(&room, "before bob came").await;
        bob.join_room(&room).await;
        let last = ann.send(&room, "one").await;
        ann.send(&room, "two").await;
        bob.send(&room, "my own").await;
        let path = format!("/chat/rooms/{room}");

        assert_eq!(bob.get(&path).await.expect(200)["unread"], 2);
        bob.put(&format!("{path}/read"), json!({ "seq": last["seq"] })).await.expect(204);
        assert_eq!(bob.get(&path).await.expect(200)["unread"], 1);
        bob.put(&format!("{path}/read"), json!({ "seq": 1 })).await.expect(204);
        assert_eq!(bob.get(&path).await.expect(200)["unread"], 1);
        bob.put(&format!("{path}/read"), json!({ "seq": 1_000_000 })).await.expect(204);
        let shown = bob.get(&path).await.expect(200);
        assert_eq!((&shown["unread"], &shown["member"]["last_read_seq"]), (&json!(0), &shown["last_seq"]));
    }

    async fn unread_mentions_are_counted_until_they_are_read(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        let path = format!("/chat/rooms/{room}");
        ann.send(&room, "@bob before bob came").await;
        assert_eq!(bob.get(&path).await.expect(200)["mentions"], 0);
        bob.join_room(&room).await;
        bob.create_room("public", "so that bob is known").await;
        assert_eq!(mentions(&bob, &room).await, (json!(0), json!(0)));

        let first = ann.send(&room, "@Bob, are you there?").await["seq"].clone();
        ann.send(&room, "bob@example.org, not bob").await;
        ann.send(&room, "@bob @bob @ann @nobody").await;
        bob.send(&room, "I am @bob").await;

        assert_eq!(mentions(&bob, &room).await, (json!(2), json!(3)));
        assert_eq!(mentions(&ann, &room).await, (json!(0), json!(1)));
        bob.put(&format!("{path}/read"), json!({ "seq": first })).await.expect(204);
        assert_eq!(mentions(&bob, &room).await, (json!(1), json!(2)));
        for number in 0..110 {
            ann.send(&room, &format!("@bob {number}")).await;
        }
        assert_eq!(mentions(&bob, &room).await, (json!(99), json!(100)));
        bob.put(&format!("{path}/read"), json!({ "seq": 1_000_000 })).await.expect(204);
        assert_eq!(mentions(&bob, &room).await, (json!(0), json!(0)));
        // The messages go, and their mentions with them.
        ann.delete(&path).await.expect(204);
    }

    async fn an_edited_or_deleted_message_mentions_whom_it_says(app) {
        let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
        let room = ann.create_room("public", "Garden").await;
        for user in [&bob, &eve] {
            user.create_room("public", "so that they are known").await;
            user.join_room(&room).await;
        }
        let called = async || (mentions(&bob, &room).await.0, mentions(&eve, &room).await.0);
        let seq = ann.send(&room, "@bob").await["seq"].clone();
        let message = format!("/chat/rooms/{room}/messages/{seq}");
        assert_eq!(called().await, (json!(1), json!(0)));

        ann.patch(&message, json!({ "body": "@eve, I mean" })).await.expect(204);
        assert_eq!(called().await, (json!(0), json!(1)));
        ann.patch(&message, json!({ "body": "@eve and @bob" })).await.expect(204);
        assert_eq!(called().await, (json!(1), json!(1)));
        ann.delete(&message).await.expect(204);
        assert_eq!(called().await, (json!(0), json!(0)));
    }

    async fn edits_deletes_and_reactions_show_in_the_history(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let path = format!("/chat/rooms/{room}/messages");
        let hello = ann.send(&room, "helo").await["seq"].clone();
        let oops = ann.send(&room, "oops").await["seq"].clone();
        let thumb = "%F0%9F%91%8D";

        bob.patch(&format!("{path}/{hello}"), json!({ "body": "mine now" })).await.expect(403);
        ann.patch(&format!("{path}/{hello}"), json!({ "body": "hello" })).await.expect(204);
        bob.put(&format!("{path}/{hello}/reactions/{thumb}"), json!(null)).await.expect(204);
        ann.put(&format!("{path}/{hello}/reactions/{thumb}"), json!(null)).await.expect(204);
        ann.put(&format!("{path}/{hello}/reactions/{thumb}"), json!(null)).await.expect(204);
        bob.put(&format!("{path}/{oops}/reactions/{thumb}"), json!(null)).await.expect(204);
        bob.delete(&format!("{path}/{oops}")).await.expect(403);
        ann.delete(&format!("{path}/{oops}")).await.expect(204);
        ann.patch(&format!("{path}/{oops}"), json!({ "body": "back" })).await.expect(404);
        ann.put(&format!("{path}/999/reactions/{thumb}"), json!(null)).await.expect(404);
        ann.put(&format!("{path}/{hello}/reactions/yes"), json!(null)).await.expect(422);

        let page = ann.get(&path).await.expect(200);
        let [hello, oops] = page["items"].as_array().unwrap().as_slice() else { panic!("{page}") };
        assert_eq!(hello["body"], "hello");
        assert!(hello["edited_at"].is_string());
        assert_eq!(hello["reactions"], json!([{ "emoji": "👍", "users": [bob.id, ann.id] }]));
        assert_eq!((&oops["body"], &oops["deleted"]), (&json!(null), &json!(true)));
        assert_eq!(oops["reactions"], json!(null));
        bob.delete(&format!("{path}/{}/reactions/{thumb}", hello["seq"])).await.expect(204);
        let page = ann.get(&path).await.expect(200);
        assert_eq!(page["items"][0]["reactions"], json!([{ "emoji": "👍", "users": [ann.id] }]));
    }

    async fn whoever_is_not_a_member_of_a_public_room_reads_and_does_not_write(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        ann.send(&room, "hi").await;
        let path = format!("/chat/rooms/{room}/messages");

        assert_eq!(bob.bodies(&room).await, ["hi"]);
        let problem = bob.post(&path, json!({ "cid": "1", "body": "x" })).await.expect(403);
        assert_eq!(problem["type"], "urn:irongate:problem:not-a-member");
        let refused = bob.connect().await.ask(json!({ "t": "join", "room": room })).await;
        assert_eq!(refused["code"], "not_a_member");
    }

    async fn unread_messages_are_counted_room_by_room(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        bob.get("/chat/rooms").await.expect(200);
        let mut rooms = Vec::new();
        for name in ["Garden", "Kitchen", "Quiet"] {
            let room = ann.create_room("public", name).await;
            bob.join_room(&room).await;
            rooms.push(room);
        }
        let mut at_bob = bob.connect().await;
        ann.send(&rooms[0], "one").await;
        ann.send(&rooms[0], "two, @bob").await;
        bob.send(&rooms[0], "mine does not count").await;
        let read = ann.send(&rooms[1], "read").await;
        at_bob.ask(json!({ "t": "read", "room": rooms[1], "seq": read["seq"] })).await;

        let unread = bob.get("/chat/unread").await.expect(200);

        assert_eq!(unread["items"], json!([{ "room": rooms[0], "unread": 2, "mentions": 1 }]), "{unread}");
        assert_eq!(bob.get("/chat/unread?limit=0").await.status, 422);
        let first = bob.get("/chat/unread?limit=1").await.expect(200);
        assert_eq!(first["next_cursor"], json!(rooms[0]), "{first}");
    }
}
