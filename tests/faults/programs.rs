//! Programs that are killed, stand still or are slow: what goes on, what says so, what comes back.
//!
//! What stands still does so over PostgreSQL: SQLite has one write lock for all, and a process that is stopped (not
//! killed) in a transaction keeps it. Then nobody writes, and says so, until it goes on.

use std::time::Duration;

use irongate_test_servers::{eventually, free_port};
use serde_json::json;

use crate::support::{Answer, Backend, LIMIT, Person, Road, Service, Setup, System};

#[tokio::test(flavor = "multi_thread")]
async fn each_killed_service_is_started_again() {
    let system = System::start(Backend::Embedded).await;

    for service in Service::ALL {
        let before = system.pid_of(service).unwrap();
        system.kill(service);

        eventually(&format!("another {service:?}"), LIMIT, || async {
            system.pid_of(service).is_some_and(|pid| pid != before)
        })
        .await;
        system.wait_for(service, "up").await;
        let line = format!("{}-svc ended (signal: 9 (SIGKILL)); starting it again", service.name());
        assert!(system.output().contains(&line), "no line says so");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_chat_stands_still_the_others_go_on_and_the_dashboard_says_so() {
    let system = System::start(Backend::Production).await;
    let ann = system.newcomer("ann").await;

    system.pause(Service::Chat);
    system.wait_for(Service::Chat, "down").await;

    let refused = ann.get(&system, "/chat/rooms").await;
    refused.problem(503);
    assert!(!refused.header("retry-after").is_empty(), "{refused}");
    ann.get(&system, "/user/me").await.expect(200);
    Person::new(&system, "ann").sign_in(&system).await;
    system.get("/").await.expect(200);
    let health = system.get("/health").await.expect(200).json();
    assert_eq!(health["checks"]["chat"]["status"], "degraded", "{health}");
    let failure = &system.server(Service::Chat).await["last_failure"];
    assert!(failure["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{failure}");

    system.resume(Service::Chat);
    system.wait_for(Service::Chat, "up").await;
    ann.get(&system, "/chat/rooms").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_sign_in_while_auth_stands_still_but_who_is_in_goes_on() {
    let system = System::start(Backend::Production).await;
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, None).await;

    system.pause(Service::Auth);
    system.wait_for(Service::Auth, "down").await;

    ann.refresh(&system).await.problem(503);
    ann.get(&system, "/user/me").await.expect(200);
    chat.say(&room, "Anybody?").await;

    system.resume(Service::Auth);
    system.wait_for(Service::Auth, "up").await;
    ann.refresh(&system).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_chat_was_killed() {
    let system = System::start(Backend::Embedded).await;
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, None).await;
    let mut last = 0;
    for number in 1..=8 {
        last = chat.say(&room, &format!("message {number}")).await;
    }

    let before = system.pid_of(Service::Chat).unwrap();
    system.kill(Service::Chat);
    eventually("another chat-svc", LIMIT, || async {
        system.pid_of(Service::Chat).is_some_and(|pid| pid != before)
    })
    .await;
    system.wait_for(Service::Chat, "up").await;

    let mut chat = ann.chat(&system).await;
    chat.join(&room, Some(last - 8)).await;
    for number in 1..=8 {
        chat.hears(&format!("message {number}")).await;
    }
    assert_eq!(chat.say(&room, "and on").await, last + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_slow_or_stands_still_is_left_out_and_taken_back_while_the_others_go_on() {
    let mut setup = Setup::new(Backend::Production);
    let mut roads = Vec::new();
    for service in Service::ALL {
        let name = service.name().to_uppercase();
        let listen = format!("127.0.0.1:{}", free_port());
        setup.set(&format!("IRONGATE_{name}__LISTEN"), &listen);
        let road = Road::to(listen.parse().unwrap()).await;
        setup.set(&format!("IRONGATE_GATEWAY__UPSTREAM__{name}__SERVERS"), &road.address().to_string());
        roads.push(road);
    }
    let system = System::start_over(setup).await;
    let ann = system.newcomer("ann").await;

    for (service, road) in Service::ALL.into_iter().zip(&roads) {
        // Slow, and well: it answers, only later.
        road.delays(Duration::from_millis(100));
        asked(&system, &ann, service).await.expect(200);

        road.delays(Duration::from_secs(20));
        only_this_is_away(&system, &ann, service).await;
        road.delays(Duration::ZERO);
        back(&system, &ann, service).await;

        system.pause(service);
        only_this_is_away(&system, &ann, service).await;
        system.resume(service);
        back(&system, &ann, service).await;
    }
}

async fn only_this_is_away(system: &System, ann: &Person, service: Service) {
    system.wait_for(service, "down").await;
    asked(system, ann, service).await.unavailable();
    for other in Service::ALL.into_iter().filter(|other| *other != service) {
        asked(system, ann, other).await.expect(200);
    }
    system.get("/").await.expect(200);
}

async fn back(system: &System, ann: &Person, service: Service) {
    system.wait_for(service, "up").await;
    asked(system, ann, service).await.expect(200);
}

async fn asked(system: &System, ann: &Person, service: Service) -> Answer {
    let path = match service {
        Service::Auth => "/auth/sessions",
        Service::User => "/user/me",
        Service::Chat => "/chat/rooms",
    };
    ann.get(system, path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_comes_back_by_itself_and_clients_go_on_where_they_were() {
    let system = System::start(Backend::Embedded).await;
    let programs = system.programs().len();
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, None).await;
    let last = chat.say(&room, "before").await;

    system.kill_gateway();
    chat.breaks_off().await;

    eventually("the gateway to answer", LIMIT, || async { system.answers("/health").await }).await;
    assert_eq!(system.programs().len(), programs);
    system.post("/auth/refresh", &json!({})).await.problem(401);
    ann.refresh(&system).await.expect(200);
    let mut chat = ann.chat(&system).await;
    chat.join(&room, Some(last - 1)).await;
    chat.hears("before").await;
    assert_eq!(chat.say(&room, "after").await, last + 1);
}
