//! The frontend: conditional requests, ranges, negotiation, fallback.

use std::io::{Read, Seek, SeekFrom, Write};

use reqwest::header::HeaderMap;

use crate::support::{Gateway, until};

async fn gateway() -> Gateway {
    let gateway = Gateway::configured(
        "[[route]]\npath = \"/\"\nfiles = true\n[static]\nroot = \"static\"\ncached_file = \"100KiB\"\n",
    )
    .await;
    gateway.static_file("app/main.js", "export const x = 1;\n".repeat(200));
    gateway.static_file("app-3f9a8b2c.css", "a{color:red}\n".repeat(100));
    gateway.static_file("big.bin", (0..400_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    gateway.static_file("docs/index.html", "<!doctype html><title>docs</title>");
    gateway.static_file("pre.txt", "plain ".repeat(100));
    gateway.static_file("pre.txt.gz", b"\x1f\x8bnot really gzip");
    until("the files", || async {
        let there = gateway.client().get(gateway.url("/pre.txt")).send().await.unwrap();
        there.status() == 200
    })
    .await;
    gateway
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// One request, for waiting: two might see the files before and after a change.
async fn ask(gateway: &Gateway, path: &str) -> reqwest::Response {
    gateway.client().get(gateway.url(path)).send().await.unwrap()
}

async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Answer {
    // Both protocols must give the same answer.
    let mut answers = Vec::new();
    for builder in [gateway.client_builder().http1_only(), gateway.client_builder().http2_prior_knowledge()] {
        let mut request = builder.build().unwrap().get(gateway.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        answers.push(Answer { status, headers, body: answer.bytes().await.unwrap().to_vec() });
    }
    let second = answers.pop().unwrap();
    let first = answers.pop().unwrap();
    assert_eq!((first.status, first.header("etag")), (second.status, second.header("etag")));
    // Boundaries and request ids differ from answer to answer.
    if first.status < 400 && !first.header("content-type").starts_with("multipart") {
        assert_eq!(first.body, second.body);
    }
    first
}

#[tokio::test]
async fn validators_are_strong_and_observed() {
    let gateway = gateway().await;
    let first = get(&gateway, "/app/main.js", &[]).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(first.header("vary"), "Accept-Encoding");
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"'), "{etag}");
    let modified = first.header("last-modified").to_owned();
    for (headers, status) in [
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", "\"other\"")], 200),
        (vec![("if-modified-since", modified.as_str())], 304),
        (vec![("if-none-match", "\"other\""), ("if-modified-since", modified.as_str())], 200),
        (vec![("if-match", "\"other\"")], 412),
        (vec![("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT")], 412),
    ] {
        let answer = get(&gateway, "/app/main.js", &headers).await;
        assert_eq!(answer.status, status, "{headers:?}");
        if status == 304 {
            assert_eq!(answer.header("etag"), etag);
            assert!(answer.body.is_empty());
        }
        if status == 412 {
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert!(String::from_utf8_lossy(&answer.body).contains(answer.header("x-request-id")));
        }
    }
    gateway.static_file("app/main.js", "changed");
    until("the new tag", || async { ask(&gateway, "/app/main.js").await.headers()["etag"] != etag }).await;
}

#[tokio::test]
async fn ranges_are_cut_from_small_and_big_files() {
    let gateway = gateway().await;
    let whole = get(&gateway, "/big.bin", &[]).await;
    assert_eq!((whole.status, whole.body.len(), whole.header("accept-ranges")), (200, 400_000, "bytes"));
    let part = get(&gateway, "/big.bin", &[("range", "bytes=100-199")]).await;
    assert_eq!((part.status, part.header("content-range")), (206, "bytes 100-199/400000"));
    assert_eq!(part.body, whole.body[100..200]);
    let tail = get(&gateway, "/big.bin", &[("range", "bytes=-5")]).await;
    assert_eq!(tail.body, whole.body[399_995..]);
    let beyond = get(&gateway, "/big.bin", &[("range", "bytes=400000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */400000"));
    assert_eq!(beyond.header("content-type"), "application/problem+json");
    let stale = get(&gateway, "/big.bin", &[("range", "bytes=0-9"), ("if-range", "\"old\"")]).await;
    assert_eq!((stale.status, stale.body.len()), (200, 400_000));
    let fresh =
        get(&gateway, "/big.bin", &[("range", "bytes=0-9"), ("if-range", whole.header("etag"))]).await;
    assert_eq!((fresh.status, fresh.body.len()), (206, 10));
    let several = get(&gateway, "/big.bin", &[("range", "bytes=0-4,10-14")]).await;
    assert_eq!(several.status, 206);
    let kind = several.header("content-type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let text = String::from_utf8_lossy(&several.body).into_owned();
    assert!(text.ends_with(&format!("--{boundary}--\r\n")), "{text}");
    assert!(text.contains("content-range: bytes 10-14/400000"));
}

#[tokio::test]
async fn codings_are_negotiated_by_weight() {
    let gateway = gateway().await;
    let plain = get(&gateway, "/app/main.js", &[]).await;
    for (accepted, coding) in [
        ("gzip, br, zstd", "br"),
        ("gzip;q=1, br;q=0.1", "gzip"),
        ("zstd", "zstd"),
        ("br;q=0", ""),
        ("identity", ""),
    ] {
        let answer = get(&gateway, "/app/main.js", &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), coding, "{accepted}");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        if coding == "gzip" {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut text).unwrap();
            assert_eq!(text, plain.body);
        }
        let same_tag = answer.header("etag") == plain.header("etag");
        assert_eq!(same_tag, coding.is_empty(), "a form has a tag of its own: {accepted}");
    }
    let sibling = get(&gateway, "/pre.txt", &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        sibling.body, b"\x1f\x8bnot really gzip",
        "the compressed file beside it is the one that is sent"
    );
}

#[tokio::test]
async fn navigations_get_the_application_and_assets_their_404() {
    let gateway = gateway().await;
    let page = ("accept", "text/html,*/*;q=0.8");
    let room = get(&gateway, "/rooms/42", &[page]).await;
    assert_eq!((room.status, room.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(room.header("content-security-policy").contains("script-src 'self';"));
    assert_eq!(room.header("cache-control"), "no-cache");
    // Whoever asks for no page gets none here, and a cache must know.
    let vary: Vec<_> = room.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.contains(&"Accept"), "{vary:?}");
    let etag = room.header("etag").to_owned();
    let same = get(&gateway, "/rooms/42", &[page, ("if-none-match", &etag)]).await;
    assert_eq!(
        (same.status, same.headers.get_all("vary").iter().any(|value| value == "Accept")),
        (304, true)
    );
    assert!(
        !get(&gateway, "/index.html", &[page])
            .await
            .headers
            .get_all("vary")
            .iter()
            .any(|value| value == "Accept")
    );
    assert_eq!(get(&gateway, "/rooms/42", &[]).await.status, 404);
    assert_eq!(get(&gateway, "/app/missing.js", &[page]).await.status, 404);
    let fingerprinted = get(&gateway, "/app-3f9a8b2c.css", &[]).await;
    assert_eq!(fingerprinted.header("cache-control"), "public, max-age=31536000, immutable");
    let directory = get(&gateway, "/docs?x", &[]).await;
    assert_eq!((directory.status, directory.header("location")), (308, "/docs/?x"));
    assert_eq!(get(&gateway, "/docs/", &[]).await.body, b"<!doctype html><title>docs</title>");
    let posted = gateway.client().post(gateway.url("/")).send().await.unwrap();
    assert_eq!((posted.status().as_u16(), &posted.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
    let head = gateway.client().head(gateway.url("/big.bin")).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "400000");
}

#[tokio::test]
async fn the_frontend_may_have_pages_of_its_own_for_errors() {
    let gateway = Gateway::configured(
        "[static]\nerror_pages = { \"404\" = \"lost.html\", \"503\" = \"down.html\" }\n\
         [upstream.api]\nservers = [\"127.0.0.1:1\"]\n\
         [[route]]\npath = \"/\"\nfiles = true\n[[route]]\npath = \"/api\"\nupstream = \"api\"\n",
    )
    .await;
    gateway.static_file("lost.html", "<!doctype html>lost");
    gateway.static_file("down.html", "<!doctype html>down");
    until("the pages", || async { ask(&gateway, "/down.html").await.status() == 200 }).await;
    let person = ("accept", "text/html");
    for (path, status, body) in
        [("/missing.png", 404, "<!doctype html>lost"), ("/api", 503, "<!doctype html>down")]
    {
        let page = get(&gateway, path, &[person]).await;
        assert_eq!((page.status, String::from_utf8_lossy(&page.body).as_ref()), (status, body));
        assert!(!page.header("x-request-id").is_empty());
        let document = get(&gateway, path, &[]).await;
        assert_eq!((document.status, document.header("content-type")), (status, "application/problem+json"));
    }
}

#[tokio::test]
async fn a_file_that_was_just_replaced_is_not_sent_under_the_old_tag() {
    let gateway = gateway().await;
    // Below `cached_file` it would be sent from memory, whole.
    for round in 0..20u32 {
        let (size, byte) = (200_000 + round as usize * 1000, b'a' + round as u8);
        let old = get(&gateway, "/big.bin", &[]).await;
        // As a deployment does it: written beside, and moved over it at once.
        gateway.static_file("next.tmp", vec![byte; size]);
        std::fs::rename(gateway.path("static/next.tmp"), gateway.path("static/big.bin")).unwrap();
        let new = get(&gateway, "/big.bin", &[("if-none-match", old.header("etag"))]).await;
        assert_eq!((new.status, new.body.len()), (200, size), "round {round}");
        assert!(new.body.iter().all(|found| *found == byte), "round {round}");
        assert_ne!(new.header("etag"), old.header("etag"));
    }
    std::fs::remove_file(gateway.path("static/big.bin")).unwrap();
    assert_eq!(get(&gateway, "/big.bin", &[]).await.status, 404);
}

#[tokio::test]
async fn a_route_sets_fields_on_files_and_takes_fields_away() {
    let gateway = Gateway::configured(
        "[[route]]\npath = \"/\"\nfiles = true\n\
         response_headers = { cache-control = \"public, max-age=60\", x-frame-options = \"\", x-team = \"web\" }\n",
    )
    .await;
    let page = get(&gateway, "/", &[]).await;
    assert_eq!(page.headers.get_all("cache-control").iter().collect::<Vec<_>>(), ["public, max-age=60"]);
    assert_eq!((page.header("x-team"), page.header("x-frame-options")), ("web", ""));
    assert!(!page.header("content-security-policy").is_empty());
    let same = get(&gateway, "/", &[("if-none-match", page.header("etag"))]).await;
    assert_eq!((same.status, same.header("cache-control")), (304, "public, max-age=60"));
    let missing = get(&gateway, "/missing.js", &[]).await;
    assert_eq!(
        (missing.status, missing.header("cache-control"), missing.header("x-team")),
        (404, "no-store", "")
    );
}

#[tokio::test]
async fn big_files_are_streamed_with_little_memory_and_read_at_any_place() {
    const SIZE: u64 = 5 << 30;
    let gateway = Gateway::configured("[[route]]\npath = \"/\"\nfiles = true\n").await;
    // Five gigabytes of nothing, which take no room on the disk, and a word at the end.
    let mut file = std::fs::File::create(gateway.path("static/film.mp4")).unwrap();
    file.set_len(SIZE - 3).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"end").unwrap();
    until("the file", || async {
        ask(&gateway, "/missing").await;
        gateway.client().head(gateway.url("/film.mp4")).send().await.unwrap().status() == 200
    })
    .await;
    let tail = get(&gateway, "/film.mp4", &[("range", "bytes=-3")]).await;
    assert_eq!(tail.header("content-range"), format!("bytes {}-{}/{SIZE}", SIZE - 3, SIZE - 1));
    assert_eq!(tail.body, b"end");

    let before = gateway.memory_kib();
    let mut readers = Vec::new();
    for at in 0..60 {
        let builder = gateway.client_builder();
        let client = if at % 2 == 0 { builder.http1_only() } else { builder.http2_prior_knowledge() };
        let mut answer = client.build().unwrap().get(gateway.url("/film.mp4")).send().await.unwrap();
        assert_eq!(answer.content_length(), Some(SIZE));
        // Somebody who begins to watch and stops to look.
        for _ in 0..20 {
            answer.chunk().await.unwrap().unwrap();
        }
        readers.push(answer);
    }
    let grown = gateway.memory_kib().saturating_sub(before);
    // As docs/gateway.md says, and something for each connection.
    assert!(grown < 60 * 600, "{grown} KiB for sixty readers who stand still");
}
