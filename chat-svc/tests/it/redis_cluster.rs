//! Three replicas over PostgreSQL and a cluster of six processes of Redis.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use irongate_test_servers::RedisCluster;

use crate::support::{Cluster, Socket, User};

/// Well below the interval at which ends are compared: what comes within it was brought by Redis.
const BROUGHT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_redis_divides_the_rooms_and_may_lose_a_node() {
    let redis = tokio::task::spawn_blocking(RedisCluster::start).await.unwrap();
    let cluster = Cluster::start_on_redis(3, &redis.url()).await;
    all_are(&cluster, "ok").await;
    let (ann, bob, cid) = (cluster.user(0, "ann"), cluster.user(1, "bob"), cluster.user(2, "cid"));
    let rooms = a_room_at_each_node(&redis, &ann).await;
    let mut sockets = [ann.connect().await, bob.connect().await, cid.connect().await];
    for room in rooms.values() {
        bob.join_room(room).await;
        cid.join_room(room).await;
        for socket in &mut sockets {
            socket.join(room).await;
        }
    }

    for room in rooms.values() {
        assert!(everybody_hears(&mut sockets, room, "by its node").await < BROUGHT);
    }

    // Slots move while the cluster grows or shrinks.
    let (_, room) = rooms.first_key_value().unwrap();
    redis.move_slot_of(&channel(room));
    assert!(everybody_hears(&mut sockets, room, "by its new node").await < BROUGHT);

    let (node, _) = rooms.last_key_value().unwrap();
    redis.stop(*node);
    all_are(&cluster, "degraded").await;
    for room in rooms.values() {
        // From the database: a replica that hears nothing looks there several times a second.
        assert!(everybody_hears(&mut sockets, room, "without a node").await < BROUGHT);
    }
    // Its copy takes its place.
    tokio::task::block_in_place(|| redis.has_replaced(*node));
    all_are(&cluster, "ok").await;
    for room in rooms.values() {
        assert!(everybody_hears(&mut sockets, room, "by its copy").await < BROUGHT);
    }

    redis.start_again(*node);
    redis.is_whole();
    all_are(&cluster, "ok").await;
    for room in rooms.values() {
        assert!(everybody_hears(&mut sockets, room, "whole again").await < BROUGHT);
    }
    // Nothing came twice on the way.
    for socket in &mut sockets {
        assert!(socket.hears_no("msg").await);
    }
}

/// One says it, all hear it, in turn; how long the slowest took.
async fn everybody_hears(sockets: &mut [Socket; 3], room: &str, what: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for from in 0..sockets.len() {
        let body = format!("{what}, from {from}");
        let began = Instant::now();
        let sent = sockets[from].send(room, &uuid::Uuid::now_v7().to_string(), &body).await;
        assert_eq!(sent["t"], "ok", "{sent}");
        for socket in &mut *sockets {
            assert_eq!(socket.next("msg").await["body"], body);
        }
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

async fn all_are(cluster: &Cluster, status: &str) {
    for replica in 0..cluster.replicas.len() {
        cluster.redis_is(replica, status).await;
    }
}

/// By the node that has the room's slot.
async fn a_room_at_each_node(redis: &RedisCluster, ann: &User) -> BTreeMap<usize, String> {
    let mut rooms = BTreeMap::new();
    for number in 0.. {
        if rooms.len() == 3 {
            break;
        }
        let room = ann.create_room("public", &format!("Garden {number}")).await;
        rooms.insert(redis.node_of(&channel(&room)), room);
    }
    rooms
}

fn channel(room: &str) -> String {
    format!("chat:v1:r:{room}")
}
