//! What users see when a service fails: the same on every lane and over both protocols.

use std::time::{Duration, Instant};

use tokio::{io::AsyncWriteExt, time::timeout};

use crate::support::{
    LANES, Stage,
    client::{connect, read_answer},
    stage::Behind,
    until,
};

#[tokio::test]
async fn a_service_that_is_away_is_said_to_be_at_once() {
    let stage = Stage::with("").await;
    for (protocol, client) in stage.clients() {
        for lane in LANES {
            let url = stage.gateway.url(&format!("{lane}/dead"));
            let asked = Instant::now();
            let answer = client.get(&url).send().await.unwrap();
            assert!(asked.elapsed() < Duration::from_secs(2), "{lane} {protocol}: {:?}", asked.elapsed());
            assert_eq!(answer.status(), 503, "{lane} {protocol}");
            assert!(answer.headers().contains_key("retry-after"), "{lane} {protocol}");
            assert_eq!(answer.headers()["vary"], "Accept", "{lane} {protocol}");
            let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
            let problem: serde_json::Value = answer.json().await.unwrap();
            assert_eq!(problem["type"], "urn:irongate:problem:upstream-unavailable", "{lane} {protocol}");
            assert_eq!(problem["request_id"], id, "{lane} {protocol}");
            let page = client.get(&url).header("accept", "text/html").send().await.unwrap();
            assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8", "{lane} {protocol}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_not_answered_gives_502_and_one_answered_too_late_504() {
    let stage = Stage::of(1, "ejection = { failures = 0 }\nhealth = { timeout = \"20s\" }", "", "").await;
    for (protocol, client) in stage.clients() {
        for lane in LANES {
            let before = stage.reached(lane);
            let post = client.post(stage.gateway.url(&format!("{lane}/reset"))).send().await.unwrap();
            assert_eq!(post.status(), 502, "{lane} {protocol}");
            let id = post.headers()["x-request-id"].to_str().unwrap().to_owned();
            let problem: serde_json::Value = post.json().await.unwrap();
            assert_eq!(problem["request_id"], id, "{lane} {protocol}");
            assert_eq!(
                stage.reached(lane),
                before + 1,
                "{lane} {protocol}: what may not be repeated is sent once"
            );
            let late = client.post(stage.gateway.url(&format!("{lane}/hurried/never"))).send().await.unwrap();
            assert_eq!(late.status(), 504, "{lane} {protocol}");
            assert_eq!(late.headers()["content-type"], "application/problem+json", "{lane} {protocol}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_does_not_look_complete() {
    let stage = Stage::with("").await;
    for (protocol, client) in stage.clients() {
        for lane in LANES {
            // The cut may be seen with the head already, or while reading the body.
            let complete = match client.get(stage.gateway.url(&format!("{lane}/cut"))).send().await {
                Ok(answer) => answer.status() == 200 && answer.bytes().await.is_ok(),
                Err(_) => false,
            };
            assert!(!complete, "{lane} {protocol}");
            let next = client.get(stage.gateway.url(lane)).send().await.unwrap();
            assert_eq!(next.status(), 200, "{lane} {protocol}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_service() {
    let stage = Stage::with("").await;
    for lane in LANES {
        for (left, (protocol, client)) in stage.clients().into_iter().enumerate() {
            let before = stage.reached(lane);
            let asking = tokio::spawn(client.get(stage.gateway.url(&format!("{lane}/never"))).send());
            until("the request to come", || async { stage.reached(lane) > before }).await;
            asking.abort();
            drop(client);
            let given_up = || stage.servers(lane).iter().map(Behind::given_up).sum::<usize>();
            until(&format!("{lane} {protocol}: the service to be let go"), || async {
                given_up() == left + 1
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_killed_server_costs_no_request() {
    // Its checks would find it in an hour.
    let mut stage = Stage::of(2, "health = { interval = \"1h\", timeout = \"20s\" }", "", "").await;
    for lane in LANES {
        let clients = stage.clients();
        until("both to be asked", || async {
            for (_, client) in &clients {
                assert_eq!(client.get(stage.gateway.url(lane)).send().await.unwrap().status(), 200);
            }
            stage.servers(lane).iter().all(|server| server.reached() > 0)
        })
        .await;
        let killed = stage.kill(lane);
        for at in 0..50 {
            for (protocol, client) in &clients {
                let answer = client.get(stage.gateway.url(lane)).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{lane} {protocol} {at}");
            }
        }
        stage.gateway.until_server_is(&killed, "down").await;
    }
}

#[tokio::test]
async fn an_expectation_is_answered_before_the_body_is_sent() {
    let stage = Stage::with("").await;
    for lane in LANES {
        for (length, body) in [(5, "hello".to_owned()), (90_000, "x".repeat(90_000))] {
            let mut stream = connect(&stage.gateway, &[b"http/1.1"]).await;
            let head = format!(
                "POST {lane} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let interim = timeout(Duration::from_secs(20), read_answer(&mut stream)).await.unwrap();
            assert!(interim.starts_with("HTTP/1.1 100 Continue\r\n\r\n"), "{lane}: {interim}");
            stream.write_all(body.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let answer = read_answer(&mut stream).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.contains(&length.to_string()),
                "{lane}: {answer}"
            );
        }
    }
}
