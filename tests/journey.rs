//! People who use the system by its API, on both databases.

use irongate_test_servers::eventually;
use reqwest::Method;
use serde_json::json;

use crate::support::{Backend, LIMIT, Person, System};

#[tokio::test(flavor = "multi_thread")]
async fn two_newcomers_talk_embedded() {
    two_newcomers_talk(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_newcomers_talk_on_postgres_and_redis() {
    two_newcomers_talk(Backend::Production).await;
}

async fn two_newcomers_talk(backend: Backend) {
    let system = System::start(backend).await;
    let (ann, bob) = (system.newcomer("ann").await, system.newcomer("bob").await);
    let room = ann.create_room(&system, "harbour").await;
    bob.join(&system, &room).await;
    let (mut anns, mut bobs) = (ann.chat(&system).await, bob.chat(&system).await);
    anns.join(&room, None).await;
    bobs.join(&room, None).await;

    let first = anns.say(&room, "Hello Bob").await;
    let heard = bobs.hears("Hello Bob").await;
    let second = bobs.say(&room, "Hello Ann").await;
    anns.hears("Hello Ann").await;

    assert_eq!(heard["seq"], first);
    assert_eq!(second, first + 1);
    let history = ann.get(&system, &format!("/chat/rooms/{room}/messages")).await.expect(200).json();
    let bodies: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|message| &message["body"]).collect();
    assert_eq!(bodies, ["Hello Bob", "Hello Ann"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once() {
    let system = System::start(Backend::Embedded).await;
    system.newcomer("ann").await;

    let refused = Person::new(&system, "ann").register(&system).await.problem(409);

    assert!(refused["errors"]["username"].is_array(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_renews_the_token_until_logout() {
    let system = System::start(Backend::Embedded).await;
    let ann = system.newcomer("ann").await;

    let renewed = ann.refresh(&system).await.expect(200).json();
    assert_ne!(renewed["access_token"], ann.token);
    ann.send(&system, Method::POST, "/auth/logout", None).await.expect(204);

    ann.refresh(&system).await.problem(401);
    ann.get(&system, "/user/me").await.problem(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_profile_reaches_the_next_sign_in() {
    let system = System::start(Backend::Embedded).await;
    let ann = system.newcomer("ann").await;

    let change = json!({"display_name": "Ann Lee"});
    ann.send(&system, Method::PATCH, "/user/me", Some(&change)).await.expect(200);

    let me = ann.get(&system, "/user/me").await.expect(200).json();
    assert_eq!(me["display_name"], "Ann Lee");
    // user-svc tells auth-svc by itself, soon.
    eventually("a sign-in that knows the new name", LIMIT, || async {
        ann.refresh(&system).await.expect(200).json()["user"]["display_name"] == "Ann Lee"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_messages_outlive_a_restart() {
    let system = System::start(Backend::Embedded).await;
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, None).await;
    let seq = chat.say(&room, "Still here?").await;

    let system = System::start_over(system.stopped()).await;

    let ann = Person::new(&system, "ann").sign_in(&system).await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, Some(seq - 1)).await;
    chat.hears("Still here?").await;
}
