//! Health, documents, start and stop.

use serde_json::{Value, json};

use crate::support::{App, Backend, Socket, on_both};

on_both! {
    async fn health_tells_of_the_database(app) {
        let health: Value = serde_json::from_str(
            &app.http.get(format!("{}/health", app.base)).send().await.unwrap().text().await.unwrap(),
        )
        .unwrap();

        assert_eq!(health["status"], "ok");
        assert_eq!(health["service"], "chat-svc");
        assert_eq!(health["checks"]["database"]["status"], "ok");
    }

    async fn a_replica_that_stops_says_goodbye_and_finishes_what_is_under_way(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let mut socket = ann.connect().await;
        socket.join(&room).await;

        app.begin_stop();
        let bye = socket.next("bye").await;

        assert_eq!(bye["why"], "drain");
        assert!(bye["retry_ms"].as_u64().is_some_and(|ms| ms < 8000), "{bye}");
        assert_eq!(socket.closed().await, 1012);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stops_takes_no_new_sockets_and_is_not_ready() {
    let app = App::start(Backend::Sqlite).await;
    let users: Vec<_> = (0..24).map(|number| app.user(&format!("user-{number}"))).collect();
    let bearer = format!("Bearer {}", users[0].token);
    // So many that saying goodbye to all of them takes a while.
    let _sockets = futures_util::future::join_all(users.iter().map(crate::support::User::connect)).await;
    app.http.get(format!("{}/health", app.base)).send().await.unwrap();

    app.begin_stop();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;

    assert_eq!(Socket::refused(&app.base, &[("authorization", &bearer)]).await, 503);
    assert_eq!(app.http.get(format!("{}/health", app.base)).send().await.unwrap().status(), 503);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_described_and_counted() {
    let app = App::start(Backend::Sqlite).await;
    let document: Value = serde_json::from_str(
        &app.http.get(format!("{}/chat/openapi.json", app.base)).send().await.unwrap().text().await.unwrap(),
    )
    .unwrap();
    let metrics = app.http.get(&app.metrics).send().await.unwrap().text().await.unwrap();

    assert_eq!(document["openapi"], "3.1.0", "{document:#}");
    assert_eq!(document["paths"].as_object().unwrap().len(), 20, "{:#}", document["paths"]);
    assert_eq!(document["components"]["schemas"]["Room"]["required"][0], json!("id"));
    for name in ["chat_ws_connections 0", "chat_commit_seconds_count", "chat_dropped_passing_total"] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    app.stop().await;
}
