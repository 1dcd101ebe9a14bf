//! The gateway's own readers of bytes that others send, each with what must hold of it whatever it reads.
//!
//! `tests/corpora/` keeps inputs for each. All of them, and some hundred made of each, are read here in every run;
//! `FUZZ_ROUNDS=100000` makes more.

use std::collections::BTreeMap;

use bytes::BytesMut;
use irongate_shared::config::{Env, Source};

use crate::{
    lane::{encoding, tunnel},
    route::path,
    upstream,
    wire::{BodyDecoder, BodyGuard, Decoded, Framing, HeadLimits, list, request, response, text},
};

/// By the names of their corpora.
const READERS: [irongate_test_servers::Reader; 8] = [
    ("request_head", request_head),
    ("answer_head", answer_head),
    ("chunked_body", chunked_body),
    ("path", path),
    ("accept_encoding", accept_encoding),
    ("tunnel_frames", tunnel::fuzz_frames),
    ("name_server", upstream::fuzz_dns),
    ("settings", settings),
];

/// However little of a head has come, it is not taken for a whole one; nothing in it can end a line early.
fn request_head(data: &[u8]) {
    let limits = HeadLimits { bytes: 2 * 1024, fields: 20, target: 512 };
    let Ok(Some((head, taken))) = request::parse(data, &limits) else { return };
    assert!(taken <= data.len() && taken <= limits.bytes);
    assert!(head.fields.len() <= limits.fields);
    for (name, value) in head.fields.iter() {
        assert!(!name.is_empty());
        let both = name.iter().chain(value);
        assert!(both.into_iter().all(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
    }
    let length = head.fields.all("content-length").count();
    let coding = head.fields.all("transfer-encoding").count();
    assert!(length + coding <= 1, "two ways to read where the body ends");
    assert!(head.fields.all("host").count() <= 1);
    for cut in 0..taken {
        let part = data.get(..cut).unwrap_or_default();
        assert!(!matches!(request::parse(part, &limits), Ok(Some(_))), "{cut} of {taken} suffice");
    }
}

fn answer_head(data: &[u8]) {
    let Ok(Some((head, taken))) = response::parse(data) else { return };
    assert!(taken <= data.len());
    for method in [http::Method::GET, http::Method::HEAD] {
        let _ = head.framing(&method);
    }
    for (name, value) in head.fields.iter() {
        assert!(name.iter().chain(value).all(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
    }
}

/// A body reads alike however it is cut, and to whoever reads along.
fn chunked_body(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let whole = decode(text, text.len().max(1));
    let cut = decode(text, usize::from(*first) + 1);
    assert_eq!(whole, cut);
    let mut guard = BodyGuard::new(Framing::Chunked);
    let bad = text.chunks(usize::from(*first) + 1).find_map(|piece| guard.advance(piece).err());
    assert_eq!(bad.is_some(), whole.is_none());
}

/// The data, whether the body has ended, and what is left behind it; nothing for a bad one.
fn decode(text: &[u8], cut: usize) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let (mut input, mut body) = (BytesMut::new(), Vec::new());
    let mut pieces = text.chunks(cut);
    while let Some(piece) = pieces.next() {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input).ok()? {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::More => break,
                Decoded::End => {
                    let mut left = input.to_vec();
                    left.extend(pieces.flatten());
                    return Some((body, Some(left)));
                }
            }
        }
    }
    Some((body, None))
}

/// No path that is matched leads upwards, however it was written.
fn path(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    let Some(path) = path::normalize(raw) else { return };
    assert!(path == "*" || path.starts_with('/'));
    assert!(!path.contains(['\\', '\0', '\r', '\n']) || raw.contains(['\\', '\0', '\r', '\n']));
    assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
}

fn accept_encoding(data: &[u8]) {
    let there_are = [encoding::Coding::Brotli, encoding::Coding::Gzip];
    let chosen = encoding::choose(std::iter::once(data), &there_are);
    assert!(chosen == encoding::Coding::Identity || there_are.contains(&chosen));
    for item in list(data) {
        assert!(!item.contains(&b','));
    }
    let said = String::from_utf8_lossy(data);
    let mut json = b"\"".to_vec();
    text::push_json(&mut json, &said);
    json.push(b'"');
    assert_eq!(serde_json::from_slice::<String>(&json).ok().as_deref(), Some(&*said));
}

/// A file that is refused is refused in words that name it.
fn settings(data: &[u8]) {
    let file = std::env::temp_dir().join(format!("irongate-fuzzed-{}.toml", std::process::id()));
    if std::fs::write(&file, data).is_err() {
        return;
    }
    let source = Source { file: Some(file.clone()), required: true, prefix: "IRONGATE_GATEWAY" };
    let environment = BTreeMap::new();
    let read = crate::gateway::read(&source, &environment as &dyn Env);
    let _ = std::fs::remove_file(&file);
    let refused = match read {
        Ok(loaded) => match crate::snapshot::check(loaded.settings) {
            Ok(_) => return,
            Err(refused) => refused,
        },
        Err(refused) => refused,
    };
    assert!(!refused.0.is_empty());
    assert!(refused.0.iter().all(|mistake| !mistake.place.is_empty()), "{refused}");
}

#[test]
fn every_kept_input_and_what_comes_near_it_is_read_as_it_must_be() {
    irongate_test_servers::read_corpora(&READERS);
}
