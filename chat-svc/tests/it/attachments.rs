//! Files in messages.

use std::{path::PathBuf, time::Duration};

use diesel::{RunQueryDsl as _, sql_query};
use irongate_chat_svc::Store;
use irongate_shared::config::ByteSize;
use irongate_test_servers::{S3, eventually};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{App, Backend, User, on_both};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06 and so on";

async fn upload(
    user: &User,
    room: &str,
    name: &str,
    kind: &str,
    content: impl Into<reqwest::Body>,
) -> Response {
    user.http
        .post(format!("{}/chat/rooms/{room}/attachments?name={name}", user.base))
        .bearer_auth(&user.token)
        .header("content-type", kind)
        .body(content)
        .send()
        .await
        .expect("an answer")
}

async fn uploaded(user: &User, room: &str, name: &str, kind: &str, content: &'static [u8]) -> Value {
    let answer = upload(user, room, name, kind, content).await;
    assert_eq!(answer.status(), 201);
    answer.json().await.expect("JSON")
}

/// Uploads a text and sends it; says its id.
async fn sent(user: &User, room: &str) -> String {
    let file = uploaded(user, room, "a.txt", "text/plain", b"0123456789").await;
    let id = file["id"].as_str().unwrap().to_owned();
    send(user, room, json!({ "cid": id, "attachments": [id] })).await;
    id
}

async fn send(user: &User, room: &str, message: Value) -> Value {
    user.post(&format!("/chat/rooms/{room}/messages"), message).await.expect(201)
}

async fn fetch(user: &User, id: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = user.http.get(format!("{}/chat/attachments/{id}", user.base)).bearer_auth(&user.token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

async fn fetched(user: &User, id: &str) -> (StatusCode, Vec<u8>) {
    let answer = fetch(user, id, &[]).await;
    (answer.status(), answer.bytes().await.expect("a body").to_vec())
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Every file below the data directory's `attachments`.
fn files(app: &App) -> Vec<PathBuf> {
    let mut folders = vec![app.data.path().join("attachments")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the directory is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

async fn no_files_left(app: &App) {
    eventually("the files to be deleted", Duration::from_secs(30), || async { files(app).is_empty() }).await;
}

on_both! {
    async fn a_file_travels_with_its_message_wherever_the_message_is_read(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("private", "Garden").await;
        let mut at_bob = bob.connect().await;
        ann.put(&format!("/chat/rooms/{room}/members/{}", bob.id), json!({})).await.expect(204);
        at_bob.join(&room).await;

        let plan = uploaded(&ann, &room, "Gr%C3%BC%C3%9Fe%20plan.pdf", "application/pdf", b"%PDF-1.7 beds").await;
        assert_eq!(plan["name"], "Grüße plan.pdf");
        assert_eq!((&plan["size"], &plan["width"]), (&json!(13), &Value::Null));
        assert!(plan["created_at"].is_string(), "{plan}");
        let photo = uploaded(&ann, &room, "bed.png", "image/png", PNG).await;
        assert_eq!((&photo["width"], &photo["height"]), (&json!(640), &json!(480)));
        let message = json!({ "cid": "c1", "body": "spring beds", "attachments": [photo["id"], plan["id"]] });
        let first = send(&ann, &room, message.clone()).await;

        let mut shown = vec![photo, plan];
        for file in &mut shown {
            file.as_object_mut().unwrap().remove("created_at");
        }
        let shown = json!(shown);
        assert_eq!(first["attachments"], shown);
        assert_eq!(send(&ann, &room, message).await, first, "sent twice, stored once");
        assert_eq!(at_bob.next("msg").await["attachments"], shown, "live");
        let page = bob.get(&format!("/chat/rooms/{room}/messages")).await.expect(200);
        assert_eq!(page["items"][0]["attachments"], shown, "history");
        let found = bob.get("/chat/search?q=beds").await.expect(200);
        assert_eq!(found["items"][0]["attachments"], shown, "search");
        let rooms = bob.get("/chat/rooms").await.expect(200);
        assert_eq!(rooms["items"][0]["last_message"]["attachments"], shown, "room list");
        let mut again = bob.connect().await;
        again.join_after(&room, 0).await;
        assert_eq!(again.next("msg").await["attachments"], shown, "replay");

        let id = shown[1]["id"].as_str().unwrap();
        assert_eq!(fetched(&bob, id).await, (StatusCode::OK, b"%PDF-1.7 beds".to_vec()));
    }

    async fn a_message_may_be_a_file_alone_and_takes_only_the_senders_own_unsent_ones(app) {
        let (ann, bob) = (app.user("ann"), app.user("bob"));
        let room = ann.create_room("public", "Garden").await;
        let other = ann.create_room("public", "Other").await;
        bob.join_room(&room).await;
        let file = uploaded(&ann, &room, "a.txt", "text/plain", b"a").await;
        let elsewhere = uploaded(&ann, &other, "b.txt", "text/plain", b"b").await;
        let mut at_ann = ann.connect().await;
        let post = async |user: &User, message: Value| {
            user.post(&format!("/chat/rooms/{room}/messages"), message).await
        };

        post(&ann, json!({ "cid": "1" })).await.expect(422);
        post(&bob, json!({ "cid": "2", "attachments": [file["id"]] })).await.expect(422);
        post(&ann, json!({ "cid": "3", "attachments": [elsewhere["id"]] })).await.expect(422);
        post(&ann, json!({ "cid": "4", "attachments": [file["id"], file["id"]] })).await.expect(422);
        post(&ann, json!({ "cid": "5", "attachments": ["nonsense"] })).await.expect(422);
        post(&ann, json!({ "cid": "6", "attachments": vec![&file["id"]; 11] })).await.expect(422);
        let ok = at_ann.ask(json!({ "t": "send", "room": room, "cid": "7", "attachments": [file["id"]] })).await;
        assert_eq!(ok["t"], "ok", "{ok}");
        post(&ann, json!({ "cid": "8", "attachments": [file["id"]] })).await.expect(422);

        let page = bob.get(&format!("/chat/rooms/{room}/messages")).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
        assert_eq!(page["items"][0]["body"], "");
        // Words may come and go while there is a file.
        let seq = page["items"][0]["seq"].as_i64().unwrap();
        let message = format!("/chat/rooms/{room}/messages/{seq}");
        ann.patch(&message, json!({ "body": "look" })).await.expect(204);
        ann.patch(&message, json!({ "body": "" })).await.expect(204);
        let words = ann.send(&room, "words").await["seq"].as_i64().unwrap();
        ann.patch(&format!("/chat/rooms/{room}/messages/{words}"), json!({ "body": " " })).await.expect(422);
    }

    async fn files_are_for_members_alone(app) {
        let (ann, bob, eve) = (app.user("ann"), app.user("bob"), app.user("eve"));
        // Whoever looks may read a public room's messages; its files are for those who are in it.
        let room = ann.create_room("public", "Garden").await;
        bob.join_room(&room).await;

        let unsent = uploaded(&ann, &room, "a.txt", "text/plain", b"a").await["id"].as_str().unwrap().to_owned();
        assert_eq!(fetched(&ann, &unsent).await.0, 200);
        assert_eq!(fetched(&bob, &unsent).await.0, 404, "in no message yet");
        let id = sent(&ann, &room).await;
        assert_eq!(fetched(&bob, &id).await.0, 200);
        assert_eq!(fetched(&eve, &id).await.0, 404);
        assert_eq!(upload(&eve, &room, "x", "text/plain", "x").await.status(), 403);
        let hidden = ann.create_room("private", "Hidden").await;
        assert_eq!(upload(&eve, &hidden, "x", "text/plain", "x").await.status(), 404);
        let nobody = app.http.get(format!("{}/chat/attachments/{id}", app.base)).send().await.unwrap();
        assert_eq!(nobody.status(), 401);
        ann.delete(&format!("/chat/rooms/{room}/members/{}", bob.id)).await.expect(204);
        assert_eq!(fetched(&bob, &id).await.0, 404, "put out");
        let until = "2099-01-01T00:00:00.000Z";
        bob.join_room(&room).await;
        ann.put(&format!("/chat/rooms/{room}/mutes/{}", bob.id), json!({ "until": until })).await.expect(204);
        assert_eq!(upload(&bob, &room, "x", "text/plain", "x").await.status(), 403);
        assert_eq!(fetched(&bob, &id).await.0, 200, "muted members read");
    }

    async fn a_deleted_message_or_room_takes_its_files_with_it(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let id = sent(&ann, &room).await;
        assert_eq!(files(app).len(), 1);

        let page = ann.get(&format!("/chat/rooms/{room}/messages")).await.expect(200);
        let seq = page["items"][0]["seq"].as_i64().unwrap();
        ann.delete(&format!("/chat/rooms/{room}/messages/{seq}")).await.expect(204);

        assert_eq!(fetched(&ann, &id).await.0, 404, "at once");
        let page = ann.get(&format!("/chat/rooms/{room}/messages")).await.expect(200);
        assert!(page["items"][0].get("attachments").is_none(), "{page}");
        no_files_left(app).await;
        let kept = sent(&ann, &room).await;
        uploaded(&ann, &room, "unsent.txt", "text/plain", b"x").await;
        ann.delete(&format!("/chat/rooms/{room}")).await.expect(204);
        assert_eq!(fetched(&ann, &kept).await.0, 404);
        no_files_left(app).await;
    }

    async fn what_is_never_sent_is_deleted_after_a_while(app) {
        let ann = app.user("ann");
        let room = ann.create_room("public", "Garden").await;
        let id = sent(&ann, &room).await;
        let unsent = uploaded(&ann, &room, "b.txt", "text/plain", b"b").await["id"].as_str().unwrap().to_owned();

        // As if both had been uploaded two days ago.
        sql_query("UPDATE attachments SET created_at_ms = created_at_ms - 172800000").execute(&mut app.db()).unwrap();

        eventually("the unsent one to go", Duration::from_secs(30), || async { files(app).len() == 1 }).await;
        assert_eq!(fetched(&ann, &unsent).await.0, 404);
        assert_eq!(fetched(&ann, &id).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_handed_out_so_that_it_can_do_no_harm() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;
    for (name, kind, content, served, shown) in [
        ("a.png", "image/png", PNG, "image/png", "inline"),
        ("a.jpg", "image/jpeg", PNG, "application/octet-stream", "attachment"),
        ("b.png", "image/png", &b"<script>"[..], "application/octet-stream", "attachment"),
        ("a.html", "text/html; charset=utf-8", b"<script>", "text/html", "attachment"),
        ("a.svg", "image/svg+xml", b"<svg onload=x>", "image/svg+xml", "attachment"),
    ] {
        let file = uploaded(&ann, &room, name, kind, content).await;
        let answer = fetch(&ann, file["id"].as_str().unwrap(), &[]).await;

        assert_eq!(header(&answer, "content-type"), served, "{name}");
        assert_eq!(file["content_type"], served, "{name}");
        let disposition = format!("{shown}; filename=\"{name}\"; filename*=UTF-8''{name}");
        assert_eq!(header(&answer, "content-disposition"), disposition);
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "content-security-policy"), "sandbox; default-src 'none'");
        assert_eq!(header(&answer, "cache-control"), "private, max-age=31536000, immutable");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_and_conditions_are_answered_as_http_says() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;
    let id = sent(&ann, &room).await;
    let whole = fetch(&ann, &id, &[]).await;
    let etag = header(&whole, "etag");
    assert_eq!(etag, format!("\"{id}\""));

    let part = fetch(&ann, &id, &[("range", "bytes=2-4")]).await;
    assert_eq!(
        (part.status(), header(&part, "content-range")),
        (StatusCode::PARTIAL_CONTENT, "bytes 2-4/10".into())
    );
    assert_eq!(part.bytes().await.unwrap(), &b"234"[..]);
    let beyond = fetch(&ann, &id, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */10".into()));
    assert_eq!(fetch(&ann, &id, &[("if-none-match", &etag)]).await.status(), 304);
    let stale = fetch(&ann, &id, &[("range", "bytes=2-4"), ("if-range", "\"old\"")]).await;
    assert_eq!(stale.status(), 200);
    let head = app
        .http
        .head(format!("{}/chat/attachments/{id}", app.base))
        .bearer_auth(&ann.token)
        .send()
        .await
        .unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10".into()));
    assert_eq!(header(&head, "etag"), etag);
    assert!(head.bytes().await.unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_too_many_and_too_fast_are_refused() {
    let app = App::start_with(Backend::Sqlite, |settings| {
        settings.attachments.max_size = ByteSize::kib(100);
        settings.attachments.per_user = ByteSize::kib(150);
        settings.limits.uploads_per_second = 1;
    })
    .await;
    let (ann, bob) = (app.user("ann"), app.user("bob"));
    let room = ann.create_room("public", "Garden").await;
    bob.join_room(&room).await;

    assert_eq!(upload(&ann, &room, "a", "text/plain", vec![b'x'; 101 << 10]).await.status(), 413);
    assert_eq!(undeclared(&app, &ann, &room, 400 << 10).await, 413, "without a Content-Length");
    assert_eq!(upload(&ann, &room, "", "text/plain", "x").await.status(), 422);
    assert_eq!(upload(&ann, &room, "a", "text/plain", vec![b'x'; 100 << 10]).await.status(), 201);
    assert_eq!(upload(&ann, &room, "a", "text/plain", vec![b'x'; 51 << 10]).await.status(), 403);
    assert_eq!(upload(&ann, &room, "a", "text/plain", vec![b'x'; 50 << 10]).await.status(), 201);
    assert_eq!(files(&app).len(), 2, "what was refused was never there");
    let mut last = 201;
    for _ in 0..25 {
        last = upload(&bob, &room, "a", "text/plain", "x").await.status().as_u16();
    }
    assert_eq!(last, 429);
    app.stop().await;
}

/// Uploads in chunks, which say no length beforehand.
async fn undeclared(app: &App, user: &User, room: &str, size: usize) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = app.base.trim_start_matches("http://");
    let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /chat/rooms/{room}/attachments?name=a HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n",
        user.token
    );
    tcp.write_all(head.as_bytes()).await.unwrap();
    tcp.write_all(&vec![b'x'; size]).await.unwrap();
    tcp.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    answer.get(9..12).and_then(|status| status.parse().ok()).expect("a status")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_is_not_acknowledged() {
    let app = App::start(Backend::Sqlite).await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;
    let incoming = app.data.path().join("attachments/incoming");
    std::fs::remove_dir(&incoming).unwrap();

    let answer = upload(&ann, &room, "a", "text/plain", "x").await;

    assert_eq!(answer.status(), 503);
    // Health is not asked anew for every request.
    eventually("health to tell", Duration::from_secs(30), || async {
        let answer = app.http.get(format!("{}/health", app.base)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["checks"]["attachments"]["status"] == "degraded"
    })
    .await;
    std::fs::create_dir(&incoming).unwrap();
    assert_eq!(upload(&ann, &room, "a", "text/plain", "x").await.status(), 201);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_can_be_in_an_s3_compatible_store() {
    let s3 = tokio::task::spawn_blocking(S3::start).await.unwrap();
    let app = App::start_with(Backend::Sqlite, |settings| {
        settings.attachments.store = Store::S3;
        settings.attachments.s3.endpoint = s3.endpoint();
        settings.attachments.s3.bucket = S3::BUCKET.to_owned();
        settings.attachments.s3.access_key = S3::ACCESS_KEY.to_owned();
        settings.attachments.s3.secret_key = Some(S3::SECRET_KEY.to_owned().into());
    })
    .await;
    let ann = app.user("ann");
    let room = ann.create_room("public", "Garden").await;
    let large: Vec<u8> = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();

    let file: Value =
        upload(&ann, &room, "a.bin", "application/zip", large.clone()).await.json().await.unwrap();
    let id = file["id"].as_str().unwrap();
    let message = send(&ann, &room, json!({ "cid": "1", "attachments": [id] })).await;

    assert_eq!(files(&app), Vec::<PathBuf>::new(), "nothing of it stays here");
    assert_eq!(fetched(&ann, id).await, (StatusCode::OK, large.clone()));
    let part = fetch(&ann, id, &[("range", "bytes=500000-500009")]).await;
    assert_eq!(part.bytes().await.unwrap(), large[500_000..500_010]);
    let empty: Value = upload(&ann, &room, "empty", "text/plain", "").await.json().await.unwrap();
    assert_eq!(fetched(&ann, empty["id"].as_str().unwrap()).await, (StatusCode::OK, Vec::new()));

    s3.stop();
    assert_eq!(upload(&ann, &room, "b", "text/plain", "x").await.status(), 503);
    assert_eq!(fetched(&ann, id).await.0, 503);
    let seq = message["seq"].as_i64().unwrap();
    ann.delete(&format!("/chat/rooms/{room}/messages/{seq}")).await.expect(204);
    assert_eq!(fetched(&ann, id).await.0, 404);
    tokio::task::block_in_place(|| s3.start_again());

    diesel::table! {
        attachments (id) { id -> Text, }
    }
    // What was to be deleted while the store was away is deleted now, the row after the file.
    eventually("the rows to go", Duration::from_secs(30), || async {
        use diesel::prelude::*;
        attachments::table.count().get_result::<i64>(&mut app.db()).unwrap() == 1
    })
    .await;
    assert_eq!(upload(&ann, &room, "c", "text/plain", "x").await.status(), 201);
    app.stop().await;
}
