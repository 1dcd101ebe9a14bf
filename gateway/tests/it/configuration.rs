//! What `check` says, and what a reload does with mistakes.

use std::process::{Command, Output};

use crate::support::{Gateway, Service, until};

fn check(text: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("gateway.toml"), text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_irongate-gateway"))
        .arg("check")
        .current_dir(directory.path())
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

fn refusal(text: &str) -> String {
    let output = check(text);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_good_file_is_summed_up() {
    let output = check(include_str!("../../../gateway.toml"));
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_misspelt_key_is_shown_with_its_place_and_the_right_word() {
    insta::assert_snapshot!(refusal("[upstream.auth]\nservers = [\"a:1\"]\nhelth = { interval = \"1s\" }\n"));
}

#[test]
fn all_mistakes_are_shown_at_once() {
    insta::assert_snapshot!(refusal(
        "[listen]\nhttp = \"8080\"\nhttps = \"0.0.0.0:8443\"\n[admin]\nlisten = \"0.0.0.0:8443\"\n\
         [upstream.api]\nservers = [\"http://api:80\", \"api\"]\nhash_on = \"ip\"\n\
         [[route]]\npath = \"api\"\nupstream = \"apis\"\n\
         [[route]]\npath = \"/x\"\nupstream = \"api\"\nfiles = true\n\
         [[route]]\npath = \"/y\"\nredirect = \"/z\"\nredirect_status = 200\nroles = [\"admin\"]\n\
         [client]\ntrusted_proxies = [\"10.0.0.0/33\"]\n"
    ));
}

#[test]
fn a_value_of_the_wrong_kind_is_shown_with_how_to_write_it() {
    insta::assert_snapshot!("wrong_type", refusal("[limits]\nhead_timeout = 10\n"));
    insta::assert_snapshot!("size_without_unit", refusal("[limits]\nbody = \"10\"\n"));
    insta::assert_snapshot!(
        "unknown_word",
        refusal("[upstream.a]\nservers = [\"a:1\"]\nbalance = \"least-conn\"\n")
    );
}

#[test]
fn certificates_that_cannot_be_used_are_refused_with_the_file() {
    let text = refusal("[tls]\nmode = \"files\"\ncertificate = [{ chain = \"no.pem\", key = \"no.key\" }]\n");
    assert!(text.contains("no.pem"), "{text}");
}

#[test]
fn mistakes_are_shown_with_what_to_write_instead() {
    let text = refusal(
        "[listen]\nhttp = \"\"\nhttps = \"\"\n[resolver]\nservers = [\"dns.example\"]\n\
         [upstream.api]\nservers = [\"a:1\"]\nprotocol = \"h2\"\ntls_name = \"not a name\"\nhealth = { path = \"health\" }\n\
         [[route]]\npath = \"/x\"\nupstream = \"api\"\nscopes = [\"a b\"]\n",
    );
    for complaint in [
        "none of `http`, `https` and `plain` names an address",
        "`dns.example` is no address of a name server: write \"10.0.0.2\"",
        "`not a name` is no name of a server",
        "begins with /",
        "`a b` is no scope",
        "asks for scopes but for no token",
        "add `auth = \"required\"`",
    ] {
        assert!(text.contains(complaint), "{complaint} in\n{text}");
    }
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_old_one_stays_in_force() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    gateway.write_config("[[route]]\npath = \"/api\"\nupstream = \"nobody\"\n");
    // Saving the file is enough.
    until("the refusal", || async { !gateway.state().await["config"]["last_error"].is_null() }).await;
    let state = gateway.state().await;
    let message = state["config"]["last_error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("there is no [upstream.nobody]"), "{message}");
    assert_eq!(state["config"]["version"], 1);
    assert_eq!(gateway.client().get(gateway.url("/api")).send().await.unwrap().status(), 200);
    let answer = gateway.admin_call(reqwest::Method::POST, "reload").await;
    assert_eq!(answer.status(), 422);
}

#[tokio::test]
async fn a_saved_file_takes_effect_by_itself_and_resets_no_health() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let since = gateway.state().await["upstreams"][0]["servers"][0]["since"].clone();
    let upstream = format!("[upstream.api]\nservers = [{:?}]\n", service.address());
    gateway.write_config(&format!(
        "{upstream}[[route]]\npath = \"/moved\"\nupstream = \"api\"\nrewrite = \"/api\"\n"
    ));
    until("the new route", || async {
        gateway.client().get(gateway.url("/moved/x?y")).send().await.unwrap().status() == 200
    })
    .await;
    assert!(service.requests().last().unwrap().head.starts_with("GET /api/x?y HTTP/1.1"));
    assert_eq!(gateway.client().get(gateway.url("/api")).send().await.unwrap().status(), 404);
    assert_eq!(gateway.state().await["upstreams"][0]["servers"][0]["since"], since);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let gateway = Gateway::configured("").await;
    let output = Command::new(env!("CARGO_BIN_EXE_irongate-gateway"))
        .current_dir(gateway.directory.path())
        .env("IRONGATE_DATA", gateway.path("other"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&format!("127.0.0.1:{} is taken by another program", gateway.http)), "{text}");
}
