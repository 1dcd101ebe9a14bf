//! What `check` says, and what a reload does with mistakes.

use std::{
    process::{Command, Output},
    time::Duration,
};

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

#[test]
fn values_that_could_never_fit_are_refused_with_what_to_write() {
    insta::assert_snapshot!(refusal(
        "[limits]\nhead_timeout = \"0\"\nstreams = 0\nburst = 5\n\
         [compression]\ntypes = [\"text/*\"]\n\
         [tls]\nhosts = [\"https://app.example\"]\n\
         [upstream.api]\nservers = [\"a:1\"]\nmax_in_flight = 0\n\
         [[route]]\npath = \"/a\"\nhost = [\"https://app.example\", \"app.example:443\", \"*\"]\nupstream = \"api\"\n\
         rewrite = \"/v 1\"\nburst = 3\ntimeout = \"0\"\n\
         request_headers = { x-real-ip = \"$remote_addr\", x-forwarded-for = \"{client}\", x-a = \"{ip}\" }\n\
         response_headers = { content-length = \"0\" }\n\
         [[route]]\npath = \"/b\"\nredirect = \"https://new.example$request_uri\"\n\
         [[route]]\npath = \"/c/\"\nupstream = \"api\"\n[[route]]\npath = \"/c\"\nupstream = \"api\"\n\
         [[route]]\npath = \"/admin\"\nupstream = \"api\"\n[[route]]\npath = \"/health\"\nupstream = \"api\"\n\
         cors = { origins = [\"https://app.example\"], headers = [\"content type\"] }\n"
    ));
}

#[test]
fn an_upstream_that_no_route_leads_to_is_pointed_out() {
    let output = check("[upstream.api]\nservers = [\"a:1\"]\n[[route]]\npath = \"/\"\nfiles = true\n");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("api → a:1 (no route leads there)"), "{text}");
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
async fn a_file_that_is_gone_leaves_the_old_settings_in_force() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let text = gateway.config();
    std::fs::remove_file(gateway.path("gateway.toml")).unwrap();
    until("the refusal", || async { !gateway.state().await["config"]["last_error"].is_null() }).await;
    assert_eq!(gateway.client().get(gateway.url("/api")).send().await.unwrap().status(), 200);
    let state = gateway.state().await;
    assert!(state["config"]["last_error"]["message"].as_str().unwrap().contains("gateway.toml"), "{state}");
    std::fs::write(gateway.path("gateway.toml"), text).unwrap();
    until("the file again", || async { gateway.state().await["config"]["last_error"].is_null() }).await;
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_waited_for() {
    let service = Service::start().await;
    let gateway = Gateway::before(&[&service]).await;
    let client = gateway.client();
    let text = gateway.config();
    let half = text.rfind("[[route]]").unwrap();
    let (path, half) = (gateway.path("gateway.toml"), text[..half].to_owned());
    // For longer than there is between two looks at the file.
    let writer = tokio::spawn(async move {
        for round in 0..200 {
            std::fs::write(&path, format!("{half}# {round}\n")).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    while !writer.is_finished() {
        assert_eq!(client.get(gateway.url("/api")).send().await.unwrap().status(), 200);
    }
    std::fs::write(gateway.path("gateway.toml"), format!("{text}# whole\n")).unwrap();
    until("the whole file", || async { gateway.state().await["config"]["version"] == 2 }).await;
    assert_eq!(client.get(gateway.url("/api")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_needs_a_restart_is_said_and_left_as_it_is() {
    let gateway = Gateway::configured("").await;
    let https = crate::support::free_port();
    let moved = gateway.config().replace(&gateway.https.to_string(), &https.to_string());
    std::fs::write(gateway.path("gateway.toml"), moved).unwrap();
    until("the reload", || async { gateway.state().await["config"]["version"] == 2 }).await;
    assert_eq!(gateway.state().await["config"]["waiting"], serde_json::json!(["listen"]));
    assert!(gateway.log().contains("only after a restart"), "{}", gateway.log());
    let redirect = "GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = crate::support::client::raw_plain(gateway.http, redirect).await.unwrap();
    assert!(answer.contains(&format!("location: https://localhost:{}/a\r\n", gateway.https)), "{answer}");
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
