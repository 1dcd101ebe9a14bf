//! The WebSocket: order, resume, replay.

use std::time::Duration;

use diesel::{RunQueryDsl as _, connection::SimpleConnection as _, sql_query};
use irongate_shared::db::Db;
use irongate_test_servers::eventually;
use serde_json::json;

use crate::support::{App, Backend, on_both};

on_both! {
    async fn everybody_in_a_room_sees_the_same_events_in_the_same_order(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let (mut at_ann, mut at_bob) = (ann.connect().await, bob.connect().await);
        let joined = at_ann.join(&room).await;
        at_bob.join(&room).await;
        assert_eq!((&joined["last"], &joined["you"]), (&json!(2), &json!("owner")));
        assert_eq!(joined["users"][bob.id.as_str()]["username"], "bob");

        let ok = at_ann.send(&room, "c1", "hi").await;
        let first = at_bob.next("msg").await;
        let same = at_ann.next("msg").await;
        bob.send(&room, "over HTTP").await;
        at_ann.ask(json!({ "t": "edit", "room": room, "seq": 3, "body": "hi!" })).await;
        at_bob.ask(json!({ "t": "react", "room": room, "seq": 3, "emoji": "🌱", "on": true })).await;
        at_ann.ask(json!({ "t": "del", "room": room, "seq": 3 })).await;

        assert_eq!(ok["seq"], first["seq"]);
        assert_eq!(first, same);
        assert_eq!((&first["from"], &first["cid"], &first["body"]), (&json!(ann.id), &json!("c1"), &json!("hi")));
        for socket in [&mut at_ann, &mut at_bob] {
            let mut kinds = Vec::new();
            for seq in 4..=7 {
                let event = socket.event().await;
                assert_eq!(event["seq"], seq);
                kinds.push(event["t"].as_str().unwrap().to_owned());
            }
            assert_eq!(kinds, ["msg", "edit", "react", "del"]);
        }
    }

    async fn a_client_that_comes_back_gets_what_it_missed_once_and_in_order(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_bob = bob.connect().await;
        at_bob.join(&room).await;
        ann.send(&room, "heard live").await;
        assert_eq!(at_bob.seqs(1).await, [3]);
        drop(at_bob);
        for number in 0..150 {
            ann.send(&room, &number.to_string()).await;
        }
        ann.patch(&format!("/chat/rooms/{room}/messages/5"), json!({ "body": "changed" })).await.expect(204);

        let mut at_bob = bob.connect().await;
        let ok = at_bob.join_after(&room, 3).await;
        ann.send(&room, "and live again").await;

        assert_eq!((&ok["last"], &ok["replay"]), (&json!(154), &json!(151)));
        assert_eq!(at_bob.seqs(152).await, (4..=155).collect::<Vec<_>>());
    }

    async fn nothing_is_missing_between_replay_and_live_while_others_write(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let writer = async {
            let mut socket = ann.connect().await;
            for number in 0..300 {
                let ok = socket.send(&room, &number.to_string(), "x").await;
                assert_eq!(ok["t"], "ok", "{ok}");
            }
        };
        let readers = (0..4).map(|_| async {
            for _ in 0..5 {
                let mut socket = ann.connect().await;
                socket.join_after(&room, 0).await;
                assert_eq!(socket.seqs(60).await, (1..=60).collect::<Vec<_>>());
            }
            let mut socket = ann.connect().await;
            socket.join_after(&room, 0).await;
            assert_eq!(socket.seqs(301).await, (1..=301).collect::<Vec<_>>());
        });

        tokio::join!(writer, futures_util::future::join_all(readers));
    }

    async fn a_client_that_missed_too_much_is_told_to_start_over(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let mut socket = ann.connect().await;
        let mut last = 0;
        for number in 0..510 {
            last = socket.post_asking(&mut json!({ "t": "send", "room": room, "cid": number.to_string(), "body": "x" })).await;
        }
        socket.answer_to(last).await;

        let ok = socket.join_after(&room, 1).await;
        let reset = socket.next("reset").await;

        assert_eq!((&ok["last"], &ok["replay"]), (&json!(511), &json!(0)));
        assert_eq!(reset["last"], 511);
        let too_far = socket.join_after(&room, 9_999).await;
        assert_eq!(too_far["last"], 511);
        assert_eq!(socket.next("reset").await["last"], 511);
        ann.send(&room, "live").await;
        assert_eq!(socket.seqs(1).await, [512]);
    }

    async fn typing_and_read_marks_reach_the_others_and_take_no_seq(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let (mut at_ann, mut at_bob) = (ann.connect().await, bob.connect().await);
        at_ann.join(&room).await;
        at_bob.join(&room).await;

        at_bob.post(&json!({ "t": "typing", "room": room })).await;
        at_ann.send(&room, "1", "one").await;
        at_bob.post(&json!({ "t": "read", "room": room, "seq": 3 })).await;

        let typing = at_ann.next("typing").await;
        let read = at_ann.next("read").await;
        assert_eq!(typing, json!({ "t": "typing", "room": room, "user": bob.id }));
        assert_eq!(read, json!({ "t": "read", "room": room, "user": bob.id, "seq": 3 }));
        assert_eq!(ann.get(&format!("/chat/rooms/{room}")).await.expect(200)["last_seq"], 3);
    }

    async fn a_page_of_long_messages_comes_in_parts_and_nobody_is_closed_for_it(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        // Four bytes a character: the longest messages that there are.
        let body = "🌱".repeat(8_000);
        let mut sent = Vec::new();
        for _ in 0..12 {
            sent.push(ann.send(&room, &body).await["seq"].as_i64().unwrap());
        }
        let mut socket = ann.connect().await;

        let (mut back, mut before) = (Vec::new(), i64::MAX);
        loop {
            let hist = json!({ "t": "hist", "room": room, "before": before, "limit": 100 });
            let page = socket.ask(hist).await["items"].as_array().unwrap().clone();
            let Some(first) = page.first() else { break };
            before = first["seq"].as_i64().unwrap();
            back.splice(0..0, page.iter().map(|message| message["seq"].as_i64().unwrap()));
        }

        assert_eq!(back, sent);
    }

    async fn in_a_crowd_a_read_mark_is_told_to_its_owner_alone(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        sql_query(format!("UPDATE rooms SET member_count = 501 WHERE id = '{room}'")).execute(&mut app.db()).unwrap();
        let (mut at_ann, mut at_bob, mut elsewhere) = (ann.connect().await, bob.connect().await, bob.connect().await);
        for socket in [&mut at_ann, &mut at_bob, &mut elsewhere] {
            socket.join(&room).await;
        }
        let seq = at_ann.send(&room, "1", "one").await["seq"].clone();

        at_bob.ask(json!({ "t": "read", "room": room, "seq": seq })).await;

        assert_eq!(elsewhere.next("read").await, json!({ "t": "read", "room": room, "user": bob.id, "seq": seq }));
        assert!(at_ann.hears_no("read").await);
    }

    async fn a_read_mark_is_told_when_it_moves_and_never_beyond_the_end_of_the_log(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let (mut at_ann, mut at_bob) = (ann.connect().await, bob.connect().await);
        at_ann.join(&room).await;
        let first = at_ann.send(&room, "1", "one").await["seq"].clone();
        let last = at_ann.send(&room, "2", "two").await["seq"].clone();
        for seq in [first.clone(), first.clone(), json!(1_000_000), json!(1)] {
            at_bob.ask(json!({ "t": "read", "room": room, "seq": seq })).await;
        }

        assert_eq!(at_ann.next("read").await["seq"], first);
        assert_eq!(at_ann.next("read").await["seq"], last);
        assert!(at_ann.hears_no("read").await);
        let mine = bob.get(&format!("/chat/rooms/{room}")).await.expect(200);
        assert_eq!(mine["member"]["last_read_seq"], last);
    }

    async fn who_comes_and_goes_is_seen_by_those_who_are_there(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_ann = ann.connect().await;
        assert_eq!(at_ann.join(&room).await["online"], json!([ann.id]));
        at_ann.next("pres").await;

        let (mut first, mut second) = (bob.connect().await, bob.connect().await);
        let online = first.join(&room).await["online"].clone();
        second.join(&room).await;
        assert_eq!(online, json!([ann.id, bob.id]));
        assert_eq!(
            at_ann.next("pres").await,
            json!({ "t": "pres", "room": room, "user": bob.id, "status": "online" })
        );
        drop(first);
        assert!(at_ann.hears_no("pres").await);
        let present = ann.get(&format!("/chat/rooms/{room}/presence")).await.expect(200);
        assert_eq!(present["items"], json!([ann.id, bob.id]));
        drop(second);

        let gone = at_ann.next("pres").await;
        assert_eq!((&gone["user"], &gone["status"]), (&json!(bob.id), &json!("offline")));
    }

    async fn who_is_mentioned_or_written_to_directly_is_notified_anywhere(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;
        let mut at_bob = bob.connect().await;

        ann.send(&room, "ask @Bob, not @ann").await;
        let mentioned = at_bob.next("notify").await;
        ann.post("/chat/dms", json!({ "user": bob.id })).await.expect(201);
        let direct = at_bob.next("notify").await;

        assert_eq!(mentioned, json!({ "t": "notify", "room": room, "why": "mention", "seq": 3 }));
        assert_eq!(direct["why"], "dm");
    }

    async fn what_one_connection_asks_of_a_room_is_done_in_order(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let mut socket = ann.connect().await;
        let mut ids = Vec::new();

        for number in 0..60 {
            let mut frame = json!({ "t": "send", "room": room, "cid": number.to_string(), "body": number.to_string() });
            ids.push(socket.post_asking(&mut frame).await);
        }

        let mut seqs = Vec::new();
        for id in ids {
            seqs.push(socket.answer_to(id).await["seq"].as_i64().unwrap());
        }
        assert_eq!(seqs, (2..=61).collect::<Vec<_>>());
    }

    async fn history_over_the_socket_is_that_over_http(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        ann.send(&room, "one").await;
        ann.send(&room, "two").await;
        let mut socket = ann.connect().await;

        let asked = socket.ask(json!({ "t": "hist", "room": room, "before": 3, "limit": 10 })).await;

        let page = ann.get(&format!("/chat/rooms/{room}/messages?before=3")).await.expect(200);
        assert_eq!(asked["items"], page["items"]);
        assert_eq!(asked["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_of_life_come_by_themselves() {
    let app = App::start_with(Backend::Sqlite, |settings| {
        settings.heartbeat = "1s".parse().unwrap();
    })
    .await;
    let ann = app.user("ann");
    let mut socket = ann.connect().await;

    assert_eq!(socket.hello["hb"], 1000);
    socket.next("hb").await;
    socket.next("hb").await;

    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_token_keeps_the_connection_and_a_strangers_does_not() {
    let app = App::start(Backend::Sqlite).await;
    let (ann, eve) = (app.user("ann"), app.user("eve"));
    let mut socket = ann.connect().await;

    let renewed = app.token(ann.id, ann.session, "ann", "Ann", Duration::from_secs(1200));
    let ok = socket.ask(json!({ "t": "auth", "token": renewed })).await;
    let refused = socket.ask(json!({ "t": "auth", "token": eve.token })).await;

    assert!(ok["exp"].as_i64() > socket.hello["exp"].as_i64(), "{ok}");
    assert_eq!(refused["code"], "not_allowed");
    assert_eq!(socket.ask(json!({ "t": "auth", "token": "nonsense" })).await["code"], "unauthenticated");
    app.stop().await;
}

/// What is committed between the last reading of a replay and the moment the socket goes live stands in neither: only
/// the mark that it raised has the log read once more. The reading is held here in its middle, between its two tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_during_the_last_reading_of_a_replay_is_read_in_another() {
    let app = App::start_with(Backend::Postgres, |settings| settings.workers = 1).await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;
    let (mut witness, mut reader) = (ann.connect().await, ann.connect().await);
    witness.join(&room).await;
    ann.send(&room, "before").await;
    assert_eq!(witness.seqs(1).await, [2]);

    let mut db = app.db();
    db.batch_execute("BEGIN; LOCK TABLE room_events IN ACCESS EXCLUSIVE MODE").unwrap();
    assert_eq!(reader.join_after(&room, 2).await["replay"], 0);
    eventually(
        "the reading to have read messages and wait for the other table",
        Duration::from_secs(2),
        || {
            let waiting = waits_for_room_events(&mut db);
            async move { waiting }
        },
    )
    .await;
    ann.send(&room, "meanwhile").await;
    assert_eq!(witness.seqs(1).await, [3]);
    db.batch_execute("COMMIT").unwrap();

    ann.send(&room, "after").await;
    assert_eq!(reader.seqs(2).await, [3, 4]);
    app.stop().await;
}

fn waits_for_room_events(db: &mut Db) -> bool {
    let waiting = diesel::sql_query(
        "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database \
         WHERE datname = current_database() AND relation = 'room_events'::regclass AND NOT granted",
    );
    waiting.execute(db).unwrap() > 0
}
