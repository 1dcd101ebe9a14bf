//! A system that runs already, in containers or elsewhere, through its one port.
//!
//! `deploy/try-compose` starts such a system and runs these; by themselves they have nothing to talk to:
//!
//! ```text
//! IRONGATE_SYSTEM_URL=https://localhost:25443 IRONGATE_SYSTEM_AUTHORITY=authority.pem \
//!     cargo test --test system -- --ignored deployed::
//! ```

use std::{
    collections::BTreeSet,
    env,
    time::{Duration, Instant},
};

use irongate_test_servers::eventually;
use reqwest::{Method, Version};
use serde_json::json;

use crate::support::{Conversation, Door, LIMIT, Person};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a system that runs already"]
async fn everything_is_healthy_behind_one_port() {
    let site = Door::from_env();
    let visitor = Person::new(&site, "visitor");

    let page = visitor.get(&site, "/").await.expect(200);
    assert_eq!(page.version, Version::HTTP_2);
    assert!(page.body.contains("Irongate"), "{page}");
    eventually("every service to be well", LIMIT, || async {
        visitor.get(&site, "/health").await.json()["status"] == "ok"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a system that runs already"]
async fn a_session_is_opened_renewed_and_closed() {
    let site = Door::from_env();
    let ann = newcomer(&site).await;

    let renewed = ann.refresh(&site).await.expect(200).json();
    assert_ne!(renewed["access_token"], ann.token);
    ann.send(&site, Method::POST, "/auth/logout", None).await.expect(204);

    ann.refresh(&site).await.problem(401);
    ann.get(&site, "/user/me").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a system that runs already"]
async fn services_tell_each_other_what_happened() {
    let site = Door::from_env();
    let ann = newcomer(&site).await;

    let change = json!({"display_name": "Ann Lee"});
    ann.send(&site, Method::PATCH, "/user/me", Some(&change)).await.expect(200);

    // user-svc reaches auth-svc through the gateway, whose certificate it must trust.
    eventually("a sign-in that knows the new name", LIMIT, || async {
        ann.refresh(&site).await.expect(200).json()["user"]["display_name"] == "Ann Lee"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a system that runs already"]
async fn people_at_different_replicas_hear_each_other() {
    let site = Door::from_env();
    let wanted: usize = env::var("IRONGATE_SYSTEM_REPLICAS").map_or(1, |count| count.parse().unwrap());
    let ann = newcomer(&site).await;
    let room = ann.create_room(&site, &unique("harbour")).await;

    let mut replicas = BTreeSet::new();
    let mut sockets = Vec::new();
    let began = Instant::now();
    // A replica that has just come gets its share only slowly.
    while replicas.len() < wanted {
        assert!(began.elapsed() < LIMIT, "only these were reached: {replicas:?}");
        let bob = newcomer(&site).await;
        bob.join(&site, &room).await;
        let mut socket = bob.chat(&site).await;
        socket.join(&room, None).await;
        if replicas.insert(socket.replica.clone()) {
            sockets.push(socket);
        }
    }

    for at in 0..sockets.len() {
        let text = format!("from {at}");
        sockets[at].say(&room, &text).await;
        for (other, socket) in sockets.iter_mut().enumerate() {
            if other != at {
                socket.hears(&text).await;
            }
        }
    }
}

/// For as many seconds as `IRONGATE_SYSTEM_SECONDS` says; whoever runs this breaks things meanwhile.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a system that runs already"]
async fn a_conversation_loses_and_doubles_nothing_that_was_acknowledged() {
    let site = Door::from_env();
    let seconds = env::var("IRONGATE_SYSTEM_SECONDS").map_or(3, |seconds| seconds.parse().unwrap());
    let ann = newcomer(&site).await;
    let room = ann.create_room(&site, &unique("diary")).await;
    let mut conversation = Conversation::in_room(&site, &ann, &room);

    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        conversation.write().await;
        // As somebody types: within the limit of messages.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let (acknowledged, refused) = (conversation.acknowledged(), conversation.refused);
    eprintln!(
        "{acknowledged} messages acknowledged, {refused} attempts in vain, the longest wait {:.1?}",
        conversation.longest
    );

    conversation.is_complete().await;
}

async fn newcomer(site: &Door) -> Person {
    let person = Person::new(site, &unique("ann"));
    person.register(site).await.expect(201);
    person.sign_in(site).await
}

/// Names that an earlier run over the same data has not taken.
fn unique(name: &str) -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    format!("{name}-{}", id.get(id.len() - 12..).unwrap())
}
