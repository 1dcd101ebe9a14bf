//! What we depend on is under licences that deny.toml allows. `./just audit` asks cargo-deny for the same and more; this
//! needs nothing but cargo, and so runs with every other test.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

#[test]
fn every_dependency_is_under_a_licence_that_is_allowed() {
    let rules: toml::Table = fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let allowed = texts(&rules["licenses"]["allow"]);
    let exceptions = rules["licenses"]["exceptions"].as_array().unwrap();
    let packages = packages();
    assert!(packages.len() > 300, "only {} dependencies", packages.len());

    let refused: Vec<_> = packages
        .iter()
        .filter(|package| {
            let mut allowed = allowed.clone();
            let exception = exceptions.iter().find(|rule| rule["crate"].as_str() == package["name"].as_str());
            allowed.extend(exception.into_iter().flat_map(|rule| texts(&rule["allow"])));
            !package["license"].as_str().is_some_and(|expression| satisfied(expression, &allowed))
        })
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();

    assert!(refused.is_empty(), "deny.toml does not allow:\n{}", refused.join("\n"));
}

#[test]
fn an_expression_of_licences_is_read_as_spdx_says() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();

    for (expression, is_satisfied) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("MIT/GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND MIT", true),
        ("GPL-3.0-only AND MIT OR MIT", true),
        ("GPL-3.0-only AND (MIT OR MIT)", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), is_satisfied, "{expression}");
    }
}

/// Whatever is linked into programs or tests on Linux, but for our own crates.
fn packages() -> Vec<Value> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.current_dir(root()).args(["metadata", "--format-version=1", "--locked", "--offline"]);
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = metadata.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: BTreeSet<_> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].to_string()).collect();
    let all = metadata["packages"].as_array().unwrap().iter();
    all.filter(|package| !package["source"].is_null() && used.contains(&package["id"].to_string()))
        .cloned()
        .collect()
}

/// Whether keeping to licences that are all among `allowed` is enough.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<_> = expression.split_whitespace().rev().collect();
    either(&mut words, allowed)
}

fn either(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut is = both(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        is |= both(words, allowed);
    }
    is
}

fn both(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let mut is = one(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        is &= one(words, allowed);
    }
    is
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<String>) -> bool {
    let word = words.pop().unwrap_or_default();
    if word == "(" {
        let is = either(words, allowed);
        assert_eq!(words.pop(), Some(")"));
        return is;
    }
    match words.pop_if(|word| *word == "WITH") {
        Some(_) => allowed.contains(&format!("{word} WITH {}", words.pop().unwrap_or_default())),
        None => allowed.contains(word),
    }
}

fn texts(list: &toml::Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
