//! What those who run the system are given fits what the programs say of themselves.

use std::{collections::BTreeSet, fs, path::Path};

use irongate_test_servers::{eventually, free_port};
use serde_json::Value;

use crate::support::{Backend, LIMIT, Setup, System};

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_rules_and_dashboard_is_there() {
    let mut setup = Setup::new(Backend::Production);
    let mut pages = vec![format!("http://localhost:{}/metrics", setup.admin)];
    for program in ["AUTH", "USER", "CHAT"] {
        let port = free_port();
        setup.set(&format!("IRONGATE_{program}__METRICS"), &format!("127.0.0.1:{port}"));
        pages.push(format!("http://localhost:{port}/metrics"));
    }
    let system = System::start_over(setup).await;
    // Some count only once there is something to count.
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, None).await;
    chat.say(&room, "Hello").await;

    let wanted = named_in_rules_and_dashboard();
    assert!(wanted.len() > 15, "the names are looked for in the wrong way: {wanted:?}");
    eventually("every metric to be there", LIMIT, || async {
        let mut known = BTreeSet::new();
        for page in &pages {
            let answer = system.send(reqwest::Method::GET, page, None).await.expect(200);
            let families = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE "));
            known.extend(families.filter_map(|line| Some(line.split(' ').next()?.to_owned())));
        }
        let missing: Vec<_> = wanted.difference(&known).collect();
        assert!(missing.is_empty() || known.len() > 10, "hardly any metric: {known:?}");
        if !missing.is_empty() {
            eprintln!("not there: {missing:?}");
        }
        missing.is_empty()
    })
    .await;
}

#[test]
fn every_alert_is_explained() {
    let manual = read("docs/production.md");
    let rules = read("deploy/prometheus/rules.yml");

    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(manual.contains(&format!("\n### {alert}\n")), "docs/production.md says nothing of {alert}");
        assert!(
            rules.contains(&format!("docs/production.md#{}\n", alert.to_lowercase())),
            "no way to {alert}"
        );
    }
}

/// Families of metrics: a histogram is one, whatever part of it is asked for.
fn named_in_rules_and_dashboard() -> BTreeSet<String> {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/irongate.json")).unwrap();
    let mut expressions = vec![read("deploy/prometheus/rules.yml")];
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            expressions.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    let words = expressions.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let ours = words.filter(|word| {
        ["irongate_", "chat_", "http_", "password_"].iter().any(|prefix| word.starts_with(prefix))
    });
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}
