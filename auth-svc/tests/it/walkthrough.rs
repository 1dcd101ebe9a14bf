//! The commands of `docs/identity.md` do what the page says.

use irongate_test_identity::{Backend, Installation};

#[tokio::test]
async fn the_documented_commands_work_as_they_stand() {
    let app = Installation::start(Backend::Sqlite).await;
    let page = include_str!("../../../docs/identity.md");
    let commands = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let gateway = app.platform.gateway.as_str().trim_end_matches('/').to_owned();

    let mut bash = tokio::process::Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", commands]).env("GATEWAY", gateway);
    let ran = bash.output().await.unwrap();

    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{complained}");
    assert!(said.contains(r#""display_name":"Ann Lee""#), "{said}");
    assert!(said.contains(r#""event":"signed_in""#), "{said}");
}
