//! The chat's live side as clients have it, through the gateway's TLS port: replicas that are replaced one by one, ends
//! that must come within a second, and RFC 6455 by Autobahn's cases.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Child, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use irongate_chat_svc::Wire;
use irongate_shared::problem::Problem;
use irongate_test_servers::{eventually, free_port, python_program};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Backend, Chat, LIMIT, Person, Setup, System};

/// A chat-svc beside the one that `irongate up` has.
struct Replica {
    address: String,
    process: Child,
}

impl Replica {
    fn start(setup: &Setup, address: &str) -> Self {
        let mut command = setup.command(&["chat-svc"]);
        command
            .env("IRONGATE_CHAT__LISTEN", address)
            .env("GATEWAY_URL", format!("https://localhost:{}", setup.https))
            .stdout(Stdio::null());
        Self { address: address.to_owned(), process: command.spawn().unwrap() }
    }

    /// SIGTERM, the end, and another in its place, which the gateway has taken in again.
    async fn is_replaced(&mut self, system: &System) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let mut status = None;
        eventually("the replica to end", LIMIT, || {
            status = self.process.try_wait().unwrap();
            let ended = status.is_some();
            async move { ended }
        })
        .await;
        assert!(status.unwrap().success(), "{status:?}");
        *self = Self::start(&system.setup, &self.address);
        eventually("the gateway to take in the new replica", LIMIT, || async {
            let state = system.dashboard().await;
            let upstreams = state["upstreams"].as_array().unwrap();
            let chat = upstreams.iter().find(|upstream| upstream["name"] == "chat").unwrap();
            let servers = chat["servers"].as_array().unwrap();
            servers.iter().any(|server| server["address"] == *self.address && server["state"] == "up")
        })
        .await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const LAST_WORD: &str = "that was it";

/// A client that comes back whenever it is sent away, until the last word is said.
struct Reader {
    seqs: Vec<u64>,
    replicas: BTreeSet<String>,
    goodbyes: Vec<u16>,
    longest_away: Duration,
}

impl Reader {
    async fn read(system: &System, reader: &Person, room: &str) -> Self {
        let mut all = Self {
            seqs: Vec::new(),
            replicas: BTreeSet::new(),
            goodbyes: Vec::new(),
            longest_away: Duration::ZERO,
        };
        let mut away_since = Instant::now();
        loop {
            let mut chat = reader.chat(system).await;
            all.replicas.insert(chat.replica.clone());
            chat.join(room, Some(all.seqs.last().copied().unwrap_or(0))).await;
            if !all.goodbyes.is_empty() {
                all.longest_away = all.longest_away.max(away_since.elapsed());
            }
            loop {
                match chat.next_or_end().await {
                    Ok(frame) if frame["t"] == "msg" || frame["t"] == "member" => {
                        all.seqs.push(frame["seq"].as_u64().unwrap());
                        if frame["body"] == LAST_WORD {
                            return all;
                        }
                    }
                    Ok(_) => {}
                    Err(code) => {
                        all.goodbyes.push(code);
                        break;
                    }
                }
            }
            away_since = Instant::now();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_replaced_one_by_one_and_no_client_misses_an_event() {
    let mut setup = Setup::new(Backend::Production);
    let addresses: Vec<_> = (0..3).map(|_| format!("127.0.0.1:{}", free_port())).collect();
    setup.set("IRONGATE_CHAT__LISTEN", &addresses[0]);
    setup.set("IRONGATE_GATEWAY__UPSTREAM__CHAT__SERVERS", &addresses.join(","));
    let mut replicas: Vec<_> = addresses[1..].iter().map(|address| Replica::start(&setup, address)).collect();
    let system = Arc::new(System::start_over(setup).await);
    let writer = system.newcomer("writer").await;
    let room = writer.create_room(&*system, "harbour").await;
    let mut readers = Vec::new();
    for number in 0..6 {
        let reader = system.newcomer(&format!("reader{number}")).await;
        reader.join(&*system, &room).await;
        let (system, room) = (Arc::clone(&system), room.clone());
        readers.push(tokio::spawn(async move { Reader::read(&system, &reader, &room).await }));
    }

    let mut written = 0;
    let mut write = async || {
        written += 1;
        let message = json!({"cid": format!("m{written}"), "body": format!("number {written}")});
        let path = format!("/chat/rooms/{room}/messages");
        // A retry with the same name, as every client does.
        eventually("a message to be acknowledged", LIMIT, || async {
            writer.post(&*system, &path, &message).await.status == 201
        })
        .await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    for replica in &mut replicas {
        for _ in 0..3 {
            write().await;
        }
        let replaced = replica.is_replaced(&system);
        tokio::pin!(replaced);
        loop {
            tokio::select! {
                biased;
                () = &mut replaced => break,
                () = write() => {}
            }
        }
    }
    let word = json!({"cid": "last", "body": LAST_WORD});
    let word = writer.post(&*system, &format!("/chat/rooms/{room}/messages"), &word).await.expect(201).json();
    let last = word["seq"].as_u64().unwrap();

    let mut moved = 0;
    for reader in readers {
        let reader =
            tokio::time::timeout(LIMIT, reader).await.expect("every reader gets to the end").unwrap();
        assert!(reader.seqs.is_sorted_by(|one, next| one + 1 == *next), "{:?}", reader.seqs);
        assert_eq!((reader.seqs.first(), reader.seqs.last()), (Some(&1), Some(&last)));
        assert!(reader.goodbyes.iter().all(|code| *code == 1012), "{:?}", reader.goodbyes);
        assert!(reader.longest_away < Duration::from_secs(10), "{:?}", reader.longest_away);
        moved += reader.goodbyes.len();
    }
    assert!(moved > 0, "nobody was at a replica that was replaced");
}

/// How long until the socket has ended with this code, as a page hears of it.
async fn ended_after(begun: Instant, mut chat: Chat, code: u16) -> Duration {
    loop {
        if let Err(end) = chat.next_or_end().await {
            assert_eq!(end, code);
            chat.ended().await;
            return begun.elapsed();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_or_is_shown_the_door_hears_no_more_within_a_second() {
    let system = System::start(Backend::Embedded).await;
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let (mut signed_out, mut removed) = (Duration::MAX, Duration::MAX);

    // The best of three, for machines that do other things too.
    for name in ["bob", "cid", "dan"] {
        let here = system.newcomer(name).await;
        let there = Person::new(&system, name).sign_in(&system).await;
        here.join(&system, &room).await;
        let (mut at_here, at_there) = (here.chat(&system).await, there.chat(&system).await);
        at_here.join(&room, None).await;
        let me = here.get(&system, "/user/me").await.expect(200).json()["id"].as_str().unwrap().to_owned();

        let begun = Instant::now();
        let member = format!("/chat/rooms/{room}/members/{me}");
        ann.send(&system, Method::DELETE, &member, None).await.expect(204);
        assert_eq!(at_here.next("left").await["why"], "kick");
        removed = removed.min(begun.elapsed());

        let everywhere = json!({});
        let begun = Instant::now();
        let (answer, one, other) = tokio::join!(
            here.post(&system, "/auth/logout-all", &everywhere),
            ended_after(begun, at_here, 4403),
            ended_after(begun, at_there, 4403),
        );
        answer.expect(204);
        signed_out = signed_out.min(one.max(other));
    }

    assert!(removed < Duration::from_secs(1), "removed after {removed:?}");
    assert!(signed_out < Duration::from_secs(1), "signed out after {signed_out:?}");
}

/// The cases of the limits (9.*) send messages of 16 MiB.
const LARGEST: usize = 32 << 20;

async fn echo(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let (response, wire) = Wire::open(&request, payload, None, LARGEST)?;
    actix_web::rt::spawn(wire.echo());
    Ok(response)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_autobahn_cases_pass_through_the_gateway() {
    irongate_shared::install_crypto_provider();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = listener.local_addr().unwrap();
    let server = HttpServer::new(|| {
        let health = || async { HttpResponse::Ok().json(json!({"status": "ok"})) };
        App::new().route("/health", web::get().to(health)).default_service(web::to(echo))
    });
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    let thread = std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
    // kosoku speaks no TLS: everything else of the way is as it is behind TLS.
    let plain = format!("127.0.0.1:{}", free_port());
    let mut setup = Setup::new(Backend::Embedded);
    setup.set("IRONGATE_GATEWAY__LISTEN__PLAIN", &plain);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let settings =
        format!("[upstream.echo]\nservers = [\"{service}\"]\n[[route]]\npath = \"/\"\nupstream = \"echo\"\n");
    std::fs::write(&file, settings).unwrap();
    let gateway = setup.command(&["gateway", "--config", file.to_str().unwrap()]).spawn().unwrap();
    let gateway = Replica { address: plain, process: gateway };
    let client = reqwest::Client::new();
    eventually("the gateway to serve", LIMIT, || async {
        let answer = client.get(format!("http://{}/health", gateway.address)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let reports = tempfile::tempdir().unwrap();
    let kosoku = tokio::task::spawn_blocking(|| python_program("kosoku")).await.unwrap();

    let mut run = tokio::process::Command::new(kosoku);
    // 12 and 13 are about compression, which is not offered.
    let words = [&gateway.address, "-x", "12.*", "-x", "13.*", "-p", "4", "-o"];
    run.args(words).arg(reports.path()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(300), run.output()).await;

    let output = output.expect("it ends in time").expect("kosoku runs");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("301 cases passed"), "all of them ran: {said}");
    drop(gateway);
    handle.stop(false).await;
    thread.join().unwrap().unwrap();
}
