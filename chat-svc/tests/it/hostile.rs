//! Clients that misbehave: the right answer, bounded memory, and others unaffected.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use irongate_shared::{config::Period, id::SessionId};
use irongate_test_servers::eventually;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame, FrameHeader,
        coding::{Data, OpCode},
    },
};

use crate::support::{App, Backend, Cluster, Socket};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_without_right_is_refused_by_plain_http() {
    let app = App::start_with(Backend::Sqlite, |settings| settings.limits.sockets_per_user = 2).await;
    let ann = app.user("ann");
    let bearer = format!("Bearer {}", ann.token);
    let expired = app.token(ann.id, SessionId::new(), "ann", "Ann", Duration::ZERO);

    assert_eq!(Socket::refused(&app.base, &[]).await, 401);
    assert_eq!(Socket::refused(&app.base, &[("authorization", "Bearer nonsense")]).await, 401);
    assert_eq!(Socket::refused(&app.base, &[("authorization", &format!("Bearer {expired}"))]).await, 401);
    assert_eq!(
        Socket::refused(&app.base, &[("authorization", &bearer), ("origin", "https://evil.example")]).await,
        403
    );
    assert_eq!(
        Socket::refused(&app.base, &[("authorization", &bearer), ("sec-websocket-protocol", "chat.v9.json")])
            .await,
        400
    );
    let plain = app.http.get(format!("{}/chat/ws", app.base)).bearer_auth(&ann.token).send().await.unwrap();
    assert_eq!(plain.status(), 400);
    for origin in ["https://chat.test", &app.base] {
        Socket::open_with(&app.base, &[("authorization", &bearer), ("origin", origin)]).await.expect(origin);
    }
    let _places = (ann.connect().await, ann.connect().await);
    assert_eq!(Socket::refused(&app.base, &[("authorization", &bearer)]).await, 429);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_frame_of_ours_ends_the_connection_and_a_mistake_does_not() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;

    let mut socket = ann.connect().await;
    assert_eq!(socket.ask(json!({ "t": "dance" })).await["code"], "bad_frame");
    assert_eq!(socket.ask(json!({ "t": "join", "room": "x" })).await["code"], "bad_frame");
    assert_eq!(socket.send(&room, "c", " ").await["code"], "invalid");
    assert_eq!(socket.send(&room, "c", "fine").await["t"], "ok");

    for (what, message, code) in [
        ("no JSON", Message::text("no json"), 4400),
        ("no object", Message::text("[1]"), 4400),
        ("binary", Message::binary(vec![1, 2, 3]), 4400),
        ("no UTF-8", Message::Frame(raw(OpCode::Data(Data::Text), vec![0xff, 0xfe])), 1007),
        ("nothing to continue", Message::Frame(raw(OpCode::Data(Data::Continue), b"x".to_vec())), 1002),
        ("too big", Message::text("x".repeat(200_000)), 1009),
    ] {
        let mut socket = ann.connect().await;
        let _ = socket.stream.send(message).await;
        assert_eq!(socket.closed().await, code, "{what}");
    }
    app.stop().await;
}

fn raw(opcode: OpCode, payload: Vec<u8>) -> Frame {
    let header = FrameHeader { opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
    Frame::from_payload(header, payload.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_declares_a_gigabyte_is_refused_before_it_comes() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let mut socket = ann.connect().await;
    let tcp = socket.stream.get_mut();

    tcp.write_all(&[0x82, 0xff]).await.unwrap();
    tcp.write_all(&(1u64 << 30).to_be_bytes()).await.unwrap();
    tcp.write_all(&[1, 2, 3, 4]).await.unwrap();

    assert_eq!(socket.closed().await, 1009);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_at_a_time_is_understood() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;
    let mut socket = ann.connect().await;
    let text = json!({ "t": "join", "id": 1, "room": room }).to_string();
    let mut bytes = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend(text.as_bytes());

    for byte in bytes {
        socket.stream.get_mut().write_all(&[byte]).await.unwrap();
        socket.stream.get_mut().flush().await.unwrap();
    }

    assert_eq!(socket.answer_to(1).await["t"], "ok");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_frames_are_refused_and_a_flood_is_closed() {
    let app = App::start_with(Backend::Sqlite, |settings| {
        settings.limits.frames_per_second = 5;
        settings.limits.messages_per_second = 1;
    })
    .await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;
    let (mut at_ann, mut at_bob) = (ann.connect().await, bob.connect().await);
    at_bob.join(&room).await;

    let answers = [
        at_ann.send(&room, "1", "x").await,
        at_ann.send(&room, "2", "x").await,
        at_ann.send(&room, "3", "x").await,
    ];
    assert_eq!(answers[2]["code"], "rate_limited", "{answers:?}");
    assert!(answers[2]["retry_ms"].as_u64().is_some_and(|ms| (1..=2000).contains(&ms)), "{answers:?}");
    for _ in 0..300 {
        let _ = at_ann.stream.send(Message::text(json!({ "t": "typing", "room": room }).to_string())).await;
    }

    assert_eq!(at_ann.closed().await, 4429);
    assert_eq!(at_bob.send(&room, "b", "still here").await["t"], "ok");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_closed_and_the_others_do_not_notice() {
    let app = App::start(Backend::Sqlite).await;
    let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;
    eve.join_room(&room).await;
    let mut at_bob = bob.connect().await;
    at_bob.join(&room).await;
    let mut at_eve = eve.connect().await;
    at_eve.join(&room).await;
    let mut at_ann = ann.connect().await;
    let body = "x".repeat(8000);

    // Eve reads nothing from here on: kernel buffers fill first, then her outbox.
    for number in 0..1500 {
        let ok = at_ann.send(&room, &number.to_string(), &body).await;
        assert_eq!(ok["t"], "ok", "{ok}");
        at_bob.next("msg").await;
    }

    let page = app.http.get(&app.metrics).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(r#"chat_ws_closes_total{code="4508"} 1"#), "{page}");
    // What is left for her to read ends without a close frame: there was no room for one.
    let mut rest = vec![0; 1 << 20];
    let tcp = at_eve.stream.get_mut();
    let ended = tokio::time::timeout(Duration::from_secs(40), async {
        while tcp.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    });
    ended.await.expect("the socket ends");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_joins_stop_at_the_limit() {
    let app = App::start_with(Backend::Sqlite, |settings| {
        settings.limits.rooms_per_socket = 3;
        settings.limits.frames_per_second = 20;
    })
    .await;
    let ann = app.user("ann");
    let mut socket = ann.connect().await;
    for number in 0..3 {
        let room = ann.create_room("public", &number.to_string()).await;
        socket.join(&room).await;
    }
    let fourth = ann.create_room("public", "fourth").await;

    let refused = socket.ask(json!({ "t": "join", "room": fourth })).await;
    assert_eq!(refused["code"], "not_allowed", "{refused}");
    // It reads while it floods: what it still sends when the connection has ended resets it.
    let (mut to, mut from) = socket.stream.split();
    let flood = async {
        let join = json!({ "t": "join", "room": fourth }).to_string();
        for _ in 0..10_000 {
            if to.send(Message::text(join.clone())).await.is_err() {
                return;
            }
        }
    };
    let code = async {
        loop {
            match from.next().await {
                Some(Ok(Message::Close(Some(reason)))) => return u16::from(reason.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return 1006,
            }
        }
    };
    assert_eq!(tokio::join!(flood, code).1, 4429);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_gives_no_sign_of_life_is_closed() {
    let app = App::start_with(Backend::Sqlite, |settings| settings.heartbeat = Period::from_secs(1)).await;
    let ann = app.user("ann");

    // It reads nothing, and so answers no ping.
    let mut silent = ann.connect().await;
    eventually("the silent one to be closed", Duration::from_secs(30), || async {
        let page = app.http.get(&app.metrics).send().await.unwrap().text().await.unwrap();
        page.contains(r#"chat_ws_closes_total{code="4408"} 1"#)
    })
    .await;

    assert_eq!(silent.closed().await, 4408);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_renewed_ends_the_connection() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let token = app.token(ann.id, SessionId::new(), "ann", "Ann", Duration::from_secs(5));
    let mut late = Socket::open(&app.base, &token).await.unwrap();

    // 25 seconds more are there to renew it.
    assert_eq!(late.closed_within(Duration::from_secs(60)).await, 4401);
    app.stop().await;
}

/// Everything at once, against a process of its own whose memory can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_clients_take_no_memory() {
    let cluster = Cluster::start(1).await;
    let base = &cluster.replicas[0].base;
    let (ann, bob) = (cluster.user(0, "ann"), cluster.user(0, "bob"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;
    let mut at_bob = bob.connect().await;
    at_bob.join(&room).await;
    // What the first uses of everything cost is not theirs.
    ann.send(&room, "warm").await;
    let before = cluster.memory(0);

    let mut hostile = Vec::new();
    for number in 0..20 {
        let mut socket = Socket::open(base, &ann.token).await.unwrap();
        let tcp = socket.stream.get_mut();
        // What is refused breaks the connection under the writer; what nobody reads stops it.
        let attack = async {
            match number % 4 {
                0 => {
                    // A gigabyte in one frame.
                    let _ = tcp.write_all(&[0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]).await;
                    let megabyte = vec![b'x'; 1 << 20];
                    while tcp.write_all(&megabyte).await.is_ok() {}
                }
                1 => {
                    // A message of pieces without end.
                    let _ = tcp.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await;
                    let mut piece = vec![0x00, 0xfe, 0xea, 0x60, 0, 0, 0, 0];
                    piece.extend([b'x'; 60_000]);
                    while tcp.write_all(&piece).await.is_ok() {}
                }
                2 => {
                    // Pings, and nobody reads the pongs.
                    let mut ping = vec![0x89, 0xfd, 0, 0, 0, 0];
                    ping.extend([b'p'; 125]);
                    let pings = ping.repeat(1_000);
                    while tcp.write_all(&pings).await.is_ok() {}
                }
                _ => {
                    // A long frame, a byte at a time.
                    let _ = tcp.write_all(&[0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0]).await;
                    while tcp.write_all(b"x").await.is_ok() {}
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), attack).await;
        hostile.push(socket);
    }

    let grown = cluster.memory(0).saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    assert_eq!(at_bob.send(&room, "b", "still here").await["t"], "ok");
}
