//! What is written about the settings, held against the settings.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use super::*;

#[test]
fn the_shipped_file_says_what_an_absent_file_means() {
    let shipped: Settings = toml::from_str(include_str!("../../../gateway.toml")).unwrap();
    assert_eq!(shipped, Settings::default());
}

/// One settings struct as its source has it: comment, and fields with theirs.
struct Described {
    comment: String,
    fields: Vec<(String, String)>,
}

fn described(source: &str) -> BTreeMap<String, Described> {
    let mut found: BTreeMap<String, Described> = BTreeMap::new();
    let (mut comment, mut current): (Vec<String>, Option<String>) = (Vec::new(), None);
    for line in source.lines() {
        let text = line.trim();
        if let Some(words) = text.strip_prefix("///") {
            comment.push(words.trim().to_owned());
        } else if let Some(name) = text.strip_prefix("pub struct ") {
            let name = name.split_whitespace().next().unwrap().to_owned();
            let described = Described { comment: comment.join(" "), fields: Vec::new() };
            found.insert(name.clone(), described);
            (comment, current) = (Vec::new(), Some(name));
        } else if let (Some(field), Some(name)) = (text.strip_prefix("pub "), &current) {
            let key = field.split(':').next().unwrap();
            let key = if key == "files" && name == "Settings" { "static" } else { key };
            found.get_mut(name).unwrap().fields.push((key.to_owned(), comment.join(" ")));
            comment.clear();
        } else if text == "}" {
            current = None;
        } else if !text.starts_with("#[") {
            comment.clear();
        }
    }
    found
}

fn table<T: Default + Serialize>(
    out: &mut String,
    all: &BTreeMap<String, Described>,
    heading: &str,
    name: &str,
) {
    let described = &all[name];
    let defaults = toml::Table::try_from(T::default()).unwrap();
    let _ = writeln!(out, "\n### {heading}\n");
    if !described.comment.is_empty() {
        let _ = writeln!(out, "{}\n", described.comment);
    }
    let _ = writeln!(out, "| key | default | meaning |\n|---|---|---|");
    let mut last = String::new();
    for (key, comment) in &described.fields {
        let default = match defaults.get(key) {
            None => "-".to_owned(),
            Some(toml::Value::Table(_)) => "see below".to_owned(),
            Some(value) => format!("`{value}`").replace('|', "\\|"),
        };
        // Two keys may share one sentence.
        let comment = if comment.is_empty() { "(as above)" } else { comment };
        let _ = writeln!(out, "| `{key}` | {default} | {} |", comment.replace('|', "\\|"));
        last.clone_from(key);
    }
    assert!(!last.is_empty(), "{name} has no keys");
}

/// The reference as it must stand in `docs/gateway.md`.
fn reference() -> String {
    let all = described(include_str!("mod.rs"));
    let mut out = String::new();
    table::<Listen>(&mut out, &all, "`[listen]`", "Listen");
    table::<Admin>(&mut out, &all, "`[admin]`", "Admin");
    table::<Tls>(&mut out, &all, "`[tls]`", "Tls");
    table::<Acme>(&mut out, &all, "`[tls.acme]`", "Acme");
    table::<Files>(&mut out, &all, "`[static]`", "Files");
    table::<ClientAddress>(&mut out, &all, "`[client]`", "ClientAddress");
    table::<Limits>(&mut out, &all, "`[limits]`", "Limits");
    table::<Compression>(&mut out, &all, "`[compression]`", "Compression");
    table::<Resolver>(&mut out, &all, "`[resolver]`", "Resolver");
    table::<Log>(&mut out, &all, "`[log]`", "Log");
    table::<Shutdown>(&mut out, &all, "`[shutdown]`", "Shutdown");
    table::<Upstream>(&mut out, &all, "`[upstream.NAME]`", "Upstream");
    table::<Health>(&mut out, &all, "`[upstream.NAME.health]`", "Health");
    table::<Ejection>(&mut out, &all, "`[upstream.NAME.ejection]`", "Ejection");
    table::<Retry>(&mut out, &all, "`[upstream.NAME.retry]`", "Retry");
    table::<Route>(&mut out, &all, "`[[route]]`", "Route");
    table::<Cors>(&mut out, &all, "`[route.cors]`", "Cors");
    out
}

#[test]
fn the_reference_in_the_documents_is_that_of_the_types() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/gateway.md");
    let text = fs::read_to_string(&file).unwrap();
    let (begin, end) = (
        "<!-- keys: made by the test `the_reference_in_the_documents_is_that_of_the_types` -->\n",
        "<!-- end of keys -->",
    );
    let (before, rest) = text.split_once(begin).expect("the mark where the keys begin");
    let (written, after) = rest.split_once(end).expect("the mark where the keys end");
    let wanted = format!("{}\n", reference());
    if written != wanted && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        return;
    }
    assert!(written == wanted, "docs/gateway.md is out of date: run this test with UPDATE_DOCS=1");
}

/// Every ```toml block of a document is a configuration that is accepted.
#[test]
fn every_snippet_in_the_documents_is_accepted() {
    for name in ["gateway.md", "from-nginx.md"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let text = fs::read_to_string(&file).unwrap();
        let snippets: Vec<&str> =
            text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(snippets.len() >= 3, "{name} has hardly a snippet");
        for snippet in snippets {
            let settings: Settings =
                toml::from_str(snippet).unwrap_or_else(|error| panic!("{name}: {error}\n{snippet}"));
            if let Err(mistakes) = crate::snapshot::check(settings) {
                panic!("{name}: {mistakes}\n{snippet}");
            }
        }
    }
}
