//! Removing, banning, muting: at once, on open sockets too.

use std::time::{Duration, Instant};

use irongate_shared::{clock::Clock, token::revocation::Revocation};
use serde_json::json;

use crate::support::on_both;

on_both! {
    async fn a_removed_member_hears_no_more_and_may_come_back(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_bob = bob.connect().await;
        at_bob.join(&room).await;

        let removed = Instant::now();
        ann.delete(&format!("/chat/rooms/{room}/members/{}", bob.id)).await.expect(204);
        let left = at_bob.next("left").await;
        assert!(removed.elapsed() < Duration::from_secs(1));
        ann.send(&room, "not for bob").await;

        assert_eq!(left, json!({ "t": "left", "room": room, "why": "kick" }));
        assert!(at_bob.hears_no("msg").await);
        assert_eq!(at_bob.send(&room, "c", "x").await["code"], "not_a_member");
        bob.join_room(&room).await;
        at_bob.join(&room).await;
    }

    async fn a_banned_user_is_out_and_stays_out_until_the_ban_is_lifted(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_bob = bob.connect().await;
        at_bob.join(&room).await;
        let ban = format!("/chat/rooms/{room}/bans/{}", bob.id);
        let join = format!("/chat/rooms/{room}/members/me");

        bob.put(&format!("/chat/rooms/{room}/bans/{}", ann.id), json!({})).await.expect(403);
        ann.put(&ban, json!({ "reason": "spam" })).await.expect(204);
        assert_eq!(at_bob.next("left").await["why"], "ban");

        bob.ask(reqwest::Method::PUT, &join, None).await.expect(403);
        for what in ["", "/messages", "/members", "/presence"] {
            bob.get(&format!("/chat/rooms/{room}{what}")).await.expect(403);
        }
        let bans = ann.get(&format!("/chat/rooms/{room}/bans")).await.expect(200);
        assert_eq!(bans["items"][0]["user"]["username"], "bob");
        bob.get(&format!("/chat/rooms/{room}/bans")).await.expect(403);
        ann.delete(&ban).await.expect(204);
        bob.join_room(&room).await;
    }

    async fn a_muted_member_reads_and_does_not_write(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mute = format!("/chat/rooms/{room}/mutes/{}", bob.id);
        let until = Clock::system().now() + Duration::from_secs(600);

        ann.put(&mute, json!({ "until": until })).await.expect(204);
        let mut at_bob = bob.connect().await;
        at_bob.join(&room).await;
        assert_eq!(at_bob.send(&room, "1", "x").await["code"], "muted");
        ann.send(&room, "can you hear me").await;
        assert_eq!(at_bob.next("msg").await["body"], "can you hear me");

        ann.delete(&mute).await.expect(204);
        assert_eq!(at_bob.send(&room, "1", "x").await["t"], "ok");
    }

    async fn members_bring_others_into_a_private_room(app) {
        let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
        bob.create_room("public", "to be known").await;
        let room = ann.create_room("private", "Secret").await;
        let mut at_bob = bob.connect().await;
        let bobs_place = format!("/chat/rooms/{room}/members/{}", bob.id);

        eve.put(&bobs_place, json!({})).await.expect(404);
        ann.put(&bobs_place, json!({})).await.expect(204);

        assert_eq!(at_bob.next("notify").await, json!({ "t": "notify", "room": room, "why": "invite" }));
        at_bob.join(&room).await;
        assert_eq!(at_bob.send(&room, "1", "hello").await["t"], "ok");
    }

    async fn an_owner_hands_out_roles_and_stays_unless_there_is_another(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let place = |user: &crate::support::User| format!("/chat/rooms/{room}/members/{}", user.id);

        bob.put(&place(&bob), json!({ "role": "owner" })).await.expect(403);
        ann.put(&place(&ann), json!({ "role": "member" })).await.expect(409);
        ann.put(&place(&bob), json!({ "role": "owner" })).await.expect(204);
        ann.put(&place(&ann), json!({ "role": "member" })).await.expect(204);
        ann.put(&place(&bob), json!({ "role": "member" })).await.expect(403);
    }

    async fn a_deleted_room_ends_for_all_who_follow_it(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_bob = bob.connect().await;
        at_bob.join(&room).await;

        ann.delete(&format!("/chat/rooms/{room}")).await.expect(204);

        assert_eq!(at_bob.next("left").await, json!({ "t": "left", "room": room, "why": "deleted" }));
        assert_eq!(at_bob.join_after(&room, 1).await["code"], "no_such_room");
    }

    async fn the_sockets_of_a_revoked_session_are_closed_within_a_second(app) {
        let bob = app.user("bob");
        let mut at_bob = bob.connect().await;
        let mut quickest = Duration::MAX;

        // The best of three, for machines that do other things too.
        for name in ["ann", "eve", "zoe"] {
            let user = app.user(name);
            let mut socket = user.connect().await;
            let revoked = Instant::now();
            app.revoke(Revocation::Session(user.session));
            assert_eq!(socket.closed().await, 4403);
            socket.ended().await;
            quickest = quickest.min(revoked.elapsed());
        }

        assert!(quickest < Duration::from_secs(1), "{quickest:?}");
        assert!(at_bob.hears_no("err").await);
    }
}
