//! Redis stops, stands still, takes nobody in, has no memory left: chat goes on, and `/health` says what it lacks.

use irongate_test_servers::{Postgres, Redis, eventually};

use crate::support::{Chat, LIMIT, Setup, System};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_redis_chat_goes_on_and_everything_else_never_notices() {
    let database = Postgres::shared().database();
    let redis = Redis::start();
    let mut setup = Setup::on(database.url());
    setup.set("REDIS_URL", &redis.url());
    let system = System::start_over(setup).await;
    let (ann, bob) = (system.newcomer("ann").await, system.newcomer("bob").await);
    let room = ann.create_room(&system, "harbour").await;
    bob.join(&system, &room).await;
    let (mut anns, mut bobs) = (ann.chat(&system).await, bob.chat(&system).await);
    anns.join(&room, None).await;
    bobs.join(&room, None).await;
    redis_is(&system, "ok").await;

    redis.pause();
    redis_is(&system, "degraded").await;
    talk(&mut anns, &mut bobs, &room, "paused").await;
    ann.get(&system, "/user/me").await.expect(200);
    redis.resume();
    redis_is(&system, "ok").await;

    redis.stop();
    redis_is(&system, "degraded").await;
    talk(&mut anns, &mut bobs, &room, "stopped").await;
    system.newcomer("cid").await;
    redis.start_again();
    redis_is(&system, "ok").await;

    let mut other = redis.client();
    other.command("CONFIG SET maxclients 1");
    other.command("CLIENT KILL TYPE pubsub");
    other.command("CLIENT KILL TYPE normal");
    redis_is(&system, "degraded").await;
    talk(&mut anns, &mut bobs, &room, "taking nobody in").await;
    other.command("CONFIG SET maxclients 1000");
    redis_is(&system, "ok").await;

    other.command("CONFIG SET maxmemory-policy noeviction");
    other.command("CONFIG SET maxmemory 1");
    assert!(other.command("SET key value").starts_with("-OOM"));
    talk(&mut anns, &mut bobs, &room, "without memory").await;
    ann.refresh(&system).await.expect(200);
    other.command("CONFIG SET maxmemory 0");
    redis_is(&system, "ok").await;
    talk(&mut anns, &mut bobs, &room, "well").await;
}

async fn redis_is(system: &System, status: &str) {
    eventually(&format!("the gateway to hear that chat is {status}"), LIMIT, || async {
        system.get("/health").await.expect(200).json()["checks"]["chat"]["status"] == status
    })
    .await;
}

async fn talk(ann: &mut Chat, bob: &mut Chat, room: &str, redis: &str) {
    let (question, answer) = (format!("Redis is {redis}?"), format!("Redis is {redis}."));
    ann.say(room, &question).await;
    bob.hears(&question).await;
    bob.say(room, &answer).await;
    ann.hears(&answer).await;
}
