//! auth-svc and chat-svc stand still for long and are killed while accounts are changed: what security hangs on is true
//! at once, and the rest arrives when they are back.

use std::time::{Duration, Instant};

use irongate_test_servers::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Backend, LIMIT, PASSWORD, Person, Service, System};

/// Minutes, and much longer than anything that events wait for: a request (5 s), a pause between attempts (5 s), a lease
/// (15 s).
const LONG: Duration = Duration::from_secs(130);

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_services_stood_still_and_died_reaches_them_and_locked_users_are_out_at_once() {
    let system = System::start(Backend::Production).await;
    assert!(system.setup.create_admin("root", PASSWORD).status.success());
    let root = Person::new(&system, "root").sign_in(&system).await;
    let (ann, bob) = (system.newcomer("ann").await, system.newcomer("bob").await);
    let (cid, dan) = (system.newcomer("cid").await, system.newcomer("dan").await);
    let id = async |person: &Person| {
        let path = format!("/user/admin/users?search={}", person.name);
        root.get(&system, &path).await.expect(200).json()["items"][0]["id"].as_str().unwrap().to_owned()
    };
    let (bobs_id, cids_id, dans_id) = (id(&bob).await, id(&cid).await, id(&dan).await);
    let room = ann.create_room(&system, "harbour").await;
    bob.join(&system, &room).await;
    let mut bobs = bob.chat(&system).await;
    bobs.join(&room, None).await;
    eventually("chat-svc to know Ann", LIMIT, || async { name_in_chat(&system, &ann, &room).await == "ann" })
        .await;

    system.pause(Service::Auth);
    let paused = Instant::now();
    for n in 0..5 {
        rename(&system, &ann, &format!("Ann {n}")).await;
    }
    // One second is what is promised; a machine that does other things gets more.
    let locking = Instant::now();
    change(&system, &root, &bobs_id, json!({"locked": true})).await;
    bobs.breaks_off().await;
    eprintln!("the socket of a locked user was closed after {:?}", locking.elapsed());
    assert!(locking.elapsed() < Duration::from_secs(5), "{:?}", locking.elapsed());
    bob.get(&system, "/user/me").await.problem(401);
    bob.get(&system, "/chat/rooms").await.problem(401);

    system.pause(Service::Chat);
    rename(&system, &ann, "Ann Lee").await;
    change(&system, &root, &dans_id, json!({"role": "admin"})).await;
    change(&system, &root, &dans_id, json!({"role": "user"})).await;
    cid.send(&system, Method::DELETE, "/user/me", None).await.expect(204);
    cid.get(&system, "/user/me").await.problem(401);
    tokio::time::sleep(LONG.saturating_sub(paused.elapsed())).await;
    for service in [Service::Auth, Service::Chat] {
        system.kill(service);
    }

    for service in [Service::Auth, Service::Chat] {
        system.wait_for(service, "up").await;
    }
    eventually("auth-svc to know Ann's last name", LIMIT, || async {
        ann.refresh(&system).await.expect(200).json()["user"]["display_name"] == "Ann Lee"
    })
    .await;
    eventually("chat-svc to know it", LIMIT, || async {
        name_in_chat(&system, &ann, &room).await == "Ann Lee"
    })
    .await;
    eventually("auth-svc to know of the others", LIMIT, || async {
        (login(&system, "bob").await, login(&system, "cid").await, login(&system, "dan").await)
            == (403, 401, 200)
    })
    .await;
    assert_eq!(told_of(&system, &root, &bobs_id).await, ["locked"]);
    assert_eq!(told_of(&system, &root, &cids_id).await, ["deleted"]);
    assert_eq!(told_of(&system, &root, &dans_id).await, ["role_changed", "role_changed"]);
}

async fn rename(system: &System, person: &Person, name: &str) {
    let change = json!({ "display_name": name });
    person.send(system, Method::PATCH, "/user/me", Some(&change)).await.expect(200);
}

async fn change(system: &System, root: &Person, id: &str, change: Value) {
    let path = format!("/user/admin/users/{id}");
    root.send(system, Method::PATCH, &path, Some(&change)).await.expect(200);
}

async fn name_in_chat(system: &System, ann: &Person, room: &str) -> String {
    let members = ann.get(system, &format!("/chat/rooms/{room}/members")).await.expect(200).json();
    let members = members["items"].as_array().unwrap();
    let ann = members.iter().find(|member| member["user"]["username"] == "ann");
    ann.map_or("", |ann| ann["user"]["display_name"].as_str().unwrap()).to_owned()
}

async fn login(system: &System, name: &str) -> u16 {
    system.post("/auth/login", &json!({"username": name, "password": PASSWORD})).await.status.as_u16()
}

/// What the audit log has of what user-svc told, which knows no address.
async fn told_of(system: &System, root: &Person, id: &str) -> Vec<String> {
    let entries = root.get(system, &format!("/auth/admin/audit?user={id}")).await.expect(200).json();
    let told = entries["items"].as_array().unwrap().iter().filter(|entry| entry["ip"] == "unknown");
    told.map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
}
