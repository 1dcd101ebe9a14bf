//! What the three OpenAPI documents say is what the system does.
//!
//! schemathesis (PyPI) reads each document through the gateway, makes up requests, right ones and wrong ones, and
//! compares every answer with what the document promises: no 5xx, no status, content type, header or body that it does
//! not describe, and nothing for who shows no token where it asks for one. The same requests every time; for others,
//! and more of them: `CONTRACT_EXAMPLES=300 CONTRACT_SEED=7 ./just test contract`.

use std::{env, fs, process::Stdio};

use irongate_test_servers::python_program;
use serde_json::Value;
use tokio::process::Command;

use crate::support::{Backend, PASSWORD, Person, System};

/// What is looked at in every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,ignored_auth,unsupported_method,\
                      allow_header_conformance,use_after_free";

/// What ends the session that asks, or its user: tried apart, each by somebody of their own.
const FAREWELLS: [&str; 4] =
    ["POST /auth/logout", "POST /auth/logout-all", "DELETE /auth/sessions/{id}", "DELETE /user/me"];

/// Over PostgreSQL, which takes less than SQLite: no U+0000, no number that is too wide.
#[tokio::test(flavor = "multi_thread")]
async fn the_documents_say_all_that_a_client_meets() {
    let system = System::start(Backend::Production).await;
    assert!(system.setup.create_admin("root", PASSWORD).status.success());

    // An administrator gets further than others.
    let all_but = FAREWELLS.iter().flat_map(|name| ["--exclude-name", name]);
    let all_but: Vec<_> = all_but.chain(["--exclude-tag", "services"]).collect();
    for document in ["auth", "user", "chat"] {
        let root = Person::new(&system, "root").sign_in(&system).await;
        compare(&system, document, &root.token, &all_but).await;
    }
    let (chat, gateway) = (service(&system, "chat-svc").await, service(&system, "gateway").await);
    compare(&system, "auth", &gateway, &["--include-name", "POST /auth/introspect"]).await;
    for document in ["auth", "user", "chat"] {
        compare(&system, document, &chat, &["--include-tag", "services"]).await;
    }
    for (nth, farewell) in FAREWELLS.into_iter().enumerate() {
        let somebody = system.newcomer(&format!("leaver{nth}")).await;
        let document = farewell.split(['/', ' ']).nth(2).unwrap();
        compare(&system, document, &somebody.token, &["--include-name", farewell]).await;
    }
}

/// Compares a document with the answers to whoever holds `token`.
async fn compare(system: &System, document: &str, token: &str, chosen: &[&str]) {
    let st = tokio::task::spawn_blocking(|| python_program("st")).await.unwrap();
    let asked = |name: &str, or: &str| env::var(name).unwrap_or_else(|_| or.to_owned());
    let mut run = Command::new(st);
    run.args(["run", &system.url(&format!("/{document}/openapi.json")), "--checks", CHECKS])
        .arg("--tls-verify")
        .arg(system.setup.path("tls/authority.pem"))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--max-examples", &asked("CONTRACT_EXAMPLES", "10"), "--seed", &asked("CONTRACT_SEED", "1")])
        .args(["--request-timeout", "30", "--continue-on-failure", "--no-color", "--warnings", "off"])
        .args(["--generation-database", "none", "--suppress-health-check", "all"])
        .args(chosen)
        .current_dir(system.setup.path(""))
        .stdin(Stdio::null())
        .kill_on_drop(true);

    let output = run.output().await.unwrap();

    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{document} {chosen:?}:\n{said}");
    assert!(said.contains("passed"), "nothing was compared: {document} {chosen:?}:\n{said}");
}

/// A token of a service, which has the secret of its installation.
async fn service(system: &System, client: &str) -> String {
    let secret = fs::read_to_string(system.setup.path(&format!("secrets/client-{client}.key"))).unwrap();
    let form = format!("grant_type=client_credentials&client_id={client}&client_secret={}", secret.trim());
    let granted: Value = system.post_form("/auth/token", form).await.expect(200).json();
    granted["access_token"].as_str().unwrap().to_owned()
}
