//! Two processes of auth-svc and of user-svc on one database: to their users they are one.

use futures_util::future::join_all;
use irongate_test_servers::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Companion, LIMIT, PASSWORD, Service, Setup, System};

/// A system whose services run twice. All begin at once, over an empty database.
async fn started(backend: Backend) -> (System, Vec<Companion>) {
    let mut setup = Setup::new(backend);
    // Long enough for a machine that does other things: a crowd takes its time.
    setup.set("IRONGATE_AUTH__REFRESH_GRACE", "5m");
    let beside = [Service::Auth, Service::User].map(|service| setup.start_beside(service));
    let system = System::start_over(setup).await;
    for service in ["auth", "user"] {
        eventually(&format!("two healthy servers of {service}"), LIMIT, || async {
            let state = system.dashboard().await;
            let upstreams = state["upstreams"].as_array().unwrap();
            let servers = &upstreams.iter().find(|upstream| upstream["name"] == service).unwrap()["servers"];
            servers.as_array().unwrap().iter().filter(|server| server["state"] == "up").count() == 2
        })
        .await;
    }
    (system, beside.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_each_service_are_one_to_their_users_embedded() {
    two_processes_are_one(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_each_service_are_one_to_their_users_on_postgres() {
    two_processes_are_one(Backend::Production).await;
}

async fn two_processes_are_one(backend: Backend) {
    let (system, beside) = started(backend).await;

    of_many_who_register_one_name_one_gets_it(&system).await;
    whoever_answers_signs_with_the_same_key(&system).await;
    a_hundred_refreshes_with_one_token_leave_one_family(&system).await;
    a_session_that_ended_at_one_is_over_at_both(&system).await;
    wrong_passwords_are_counted_by_both(&system).await;

    for process in beside {
        process.kill();
    }
    let session = sign_in(&system, "ann").await;
    system.newcomer("zoe").await;
    refresh(&system, &session).await.expect(200);
}

async fn of_many_who_register_one_name_one_gets_it(system: &System) {
    let racing = (0..20).map(|n| {
        let person = json!({"username": "ann", "email": format!("ann{n}@example.org"), "password": PASSWORD});
        async move { system.post("/user/register", &person).await }
    });
    let mut statuses: Vec<_> = join_all(racing).await.iter().map(|answer| answer.status.as_u16()).collect();

    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
}

async fn whoever_answers_signs_with_the_same_key(system: &System) {
    let keys = system.get("/auth/.well-known/jwks.json").await.expect(200).json();

    assert_eq!(keys["keys"].as_array().unwrap().len(), 1, "both began at once, and made one key: {keys}");
}

async fn a_hundred_refreshes_with_one_token_leave_one_family(system: &System) {
    let session = sign_in(system, "ann").await;

    let answers = join_all((0..100).map(|_| refresh(system, &session))).await;

    let mut successors: Vec<_> = answers.into_iter().map(|answer| answer.expect(200).json()).collect();
    let newest = successors.pop().unwrap();
    assert!(successors.iter().all(|one| one["refresh_token"] == newest["refresh_token"]));
    refresh(system, &newest).await.expect(200);
    let sessions = by(system, &newest, Method::GET, "/auth/sessions").await.expect(200).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
}

async fn a_session_that_ended_at_one_is_over_at_both(system: &System) {
    let session = sign_in(system, "ann").await;
    for _ in 0..4 {
        by(system, &session, Method::GET, "/user/me").await.expect(200);
    }

    by(system, &session, Method::POST, "/auth/logout").await.expect(204);

    let asked = ["/user/me", "/auth/sessions"].repeat(10);
    for answer in join_all(asked.iter().map(|path| by(system, &session, Method::GET, path))).await {
        answer.problem(401);
    }
}

async fn wrong_passwords_are_counted_by_both(system: &System) {
    let wrong = json!({"username": "nobody", "password": "wrong password"});

    let mut refused = 0;
    for _ in 0..8 {
        let status = system.post("/auth/login", &wrong).await.status.as_u16();
        assert!(matches!(status, 401 | 429), "{status}");
        refused += u32::from(status == 429);
    }

    // Five are free; were each process to count for itself, eight would be.
    assert!(refused > 0);
}

async fn sign_in(system: &System, name: &str) -> Value {
    let login = json!({"username": name, "password": PASSWORD, "refresh": "body"});
    system.post("/auth/login", &login).await.expect(200).json()
}

/// As a client does that may be told to come back.
async fn refresh(system: &System, session: &Value) -> Answer {
    loop {
        let answer = system.post("/auth/refresh", &json!({"refresh_token": session["refresh_token"]})).await;
        if answer.status.as_u16() != 503 {
            return answer;
        }
        answer.unavailable();
    }
}

async fn by(system: &System, session: &Value, method: Method, path: &str) -> Answer {
    system.send_by(session["access_token"].as_str().unwrap(), method, path).await
}
