//! Finding, making, joining and leaving rooms.

use serde_json::json;

use crate::support::on_both;

on_both! {
    async fn whoever_makes_a_room_owns_it_and_finds_it_among_theirs(app) {
        let ann = app.user("ann");

        let room = ann
            .post("/chat/rooms", json!({ "kind": "public", "name": " Garden ", "topic": "Plants" }))
            .await
            .expect(201);

        assert_eq!(room["name"], "Garden");
        assert_eq!(room["topic"], "Plants");
        assert_eq!(room["member"]["role"], "owner");
        assert_eq!((&room["members"], &room["last_seq"], &room["unread"]), (&json!(1), &json!(1), &json!(0)));
        let mine = ann.get("/chat/rooms?scope=mine").await.expect(200);
        assert_eq!(mine["items"][0]["id"], room["id"]);
        assert_eq!(mine["next_cursor"], json!(null));
    }

    async fn a_public_room_is_found_by_name_and_joined(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Gärten & Höfe").await;
        ann.create_room("public", "Kitchen").await;

        let found = bob.get("/chat/rooms?scope=public&search=GÄRT").await.expect(200);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        assert_eq!(found["items"][0]["member"], json!(null));
        bob.join_room(&room).await;
        bob.join_room(&room).await;

        let shown = bob.get(&format!("/chat/rooms/{room}")).await.expect(200);
        assert_eq!((&shown["members"], &shown["last_seq"]), (&json!(2), &json!(2)));
        let members = bob.get(&format!("/chat/rooms/{room}/members")).await.expect(200);
        let names: Vec<_> = members["items"].as_array().unwrap().iter().map(|m| &m["user"]["username"]).collect();
        assert_eq!(names, ["ann", "bob"]);
    }

    async fn pages_of_rooms_hold_each_room_once(app) {
        let ann = app.user("ann");
        for number in 0..7 {
            ann.create_room("public", &format!("Room {number}")).await;
        }

        for scope in ["mine", "public"] {
            let mut names = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = ann.get(&format!("/chat/rooms?scope={scope}&limit=3{cursor}")).await.expect(200);
                names.extend(page["items"].as_array().unwrap().iter().map(|room| room["name"].to_string()));
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={}", next.replace(' ', "%20"));
            }
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 7, "{scope}");
        }
    }

    async fn a_private_room_does_not_exist_for_others(app) {
        let (ann, eve) = (app.user("ann"), app.user("eve"));
        let room = ann.create_room("private", "Secret").await;
        let message = ann.send(&room, "hidden").await;
        let path = format!("/chat/rooms/{room}");

        eve.get(&path).await.expect(404);
        eve.get(&format!("{path}/members")).await.expect(404);
        eve.get(&format!("{path}/messages")).await.expect(404);
        eve.ask(reqwest::Method::PUT, &format!("{path}/members/me"), None).await.expect(404);
        eve.delete(&format!("{path}/members/me")).await.expect(404);
        eve.post(&format!("{path}/messages"), json!({ "cid": "1", "body": "x" })).await.expect(404);
        eve.patch(&format!("{path}/messages/{}", message["seq"]), json!({ "body": "x" })).await.expect(404);
        eve.delete(&path).await.expect(404);
        assert_eq!(eve.get("/chat/rooms?scope=public").await.expect(200)["items"], json!([]));
        let refused = eve.connect().await.ask(json!({ "t": "join", "room": room })).await;
        assert_eq!(refused["code"], "no_such_room");
    }

    async fn two_users_have_one_direct_room(app) {
        let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
        for user in [&ann, &bob] {
            user.create_room("public", "to be known").await;
        }

        let room = ann.post("/chat/dms", json!({ "user": bob.id })).await.expect(201);
        let same = bob.post("/chat/dms", json!({ "user": ann.id })).await.expect(200);

        assert_eq!(room["id"], same["id"]);
        assert_eq!((&room["kind"], &room["name"], &room["members"]), (&json!("dm"), &json!(null), &json!(2)));
        assert_eq!(room["peer"]["username"], "bob");
        assert_eq!(same["peer"]["username"], "ann");
        let path = format!("/chat/rooms/{}", room["id"].as_str().unwrap());
        eve.get(&path).await.expect(404);
        ann.delete(&format!("{path}/members/me")).await.expect(403);
        ann.post("/chat/dms", json!({ "user": ann.id })).await.expect(403);
    }

    async fn when_the_owner_leaves_the_oldest_member_takes_over(app) {
        let (ann, bob, cid) = (app.user("ann"), app.user("bob"), app.user("cid"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        cid.join_room(&room).await;

        ann.delete(&format!("/chat/rooms/{room}/members/me")).await.expect(204);
        ann.delete(&format!("/chat/rooms/{room}/members/me")).await.expect(204);

        let shown = bob.get(&format!("/chat/rooms/{room}")).await.expect(200);
        assert_eq!((&shown["member"]["role"], &shown["members"]), (&json!("owner"), &json!(2)));
        let left = ann.get(&format!("/chat/rooms/{room}")).await.expect(200);
        assert_eq!(left["member"], json!(null));
    }

    async fn an_owner_renames_and_deletes_a_room_and_others_do_not(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let path = format!("/chat/rooms/{room}");

        bob.patch(&path, json!({ "name": "Mine" })).await.expect(403);
        bob.delete(&path).await.expect(403);
        let changed = ann.patch(&path, json!({ "topic": "Herbs" })).await.expect(200);
        assert_eq!((&changed["name"], &changed["topic"]), (&json!("Garden"), &json!("Herbs")));
        ann.delete(&path).await.expect(204);

        ann.get(&path).await.expect(404);
    }

    async fn bad_input_is_refused_with_the_fields_name(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;

        for (body, field) in [
            (json!({ "kind": "public", "name": "  " }), "name"),
            (json!({ "kind": "secret", "name": "x" }), "kind"),
            (json!({ "kind": "public", "name": "x", "topic": "t".repeat(301) }), "topic"),
            (json!({ "kind": "public", "name": "x", "colour": "red" }), "colour"),
        ] {
            let problem = ann.post("/chat/rooms", body).await.expect(422);
            assert!(problem.to_string().contains(field), "{problem}");
        }
        let path = format!("/chat/rooms/{room}/messages");
        ann.post(&path, json!({ "cid": "", "body": "x" })).await.expect(422);
        ann.post(&path, json!({ "cid": "1", "body": "a\u{0}b" })).await.expect(422);
        ann.post(&path, json!({ "cid": "1", "body": "x", "reply_to": 99 })).await.expect(404);
        ann.get(&format!("{path}?limit=0")).await.expect(422);
        ann.get("/chat/rooms/not-an-id").await.expect(404);
        ann.get("/chat/rooms?cursor=x").await.expect(422);
    }
}
