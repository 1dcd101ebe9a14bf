//! The dashboard as an operator uses it: on the main port as a signed-in administrator, on the admin listener with the
//! token of the first start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use irongate_test_servers::eventually;

use super::{people::Stage, window::Window};
use crate::support::{Backend, LIMIT, Service, Setup};

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard() {
    let (setup, configuration) = with_a_configuration_of_its_own();
    let stage = Stage::over(setup).await;
    let root = stage.administrator().await;
    root.sees("Everything is up").await;
    root.holds("a calm title", "document.title === 'Everything is up · Irongate'").await;
    it_shows_traffic_as_it_flows(&stage, &root).await;
    a_drained_server_gets_no_request_until_undrained(&stage, &root).await;
    a_failure_is_told_with_its_reason_and_in_the_story(&stage, &root).await;
    an_error_is_listed_with_its_request_id(&stage, &root).await;
    a_reload_is_asked_about_and_says_how_it_ended(&root).await;
    a_refused_reload_says_what_is_wrong(&root, &configuration).await;
    the_configuration_in_force_is_shown_as_text(&root).await;
    the_certificate_is_shown_and_its_authority_handed_out(&stage, &root).await;
    only_administrators_get_in(&stage).await;
    the_token_opens_the_admin_listener_while_auth_is_down(&stage).await;
    it_comes_back_after_the_gateway_was_killed(&stage, &root).await;
}

/// A system whose `gateway.toml` may be written to, and that file.
fn with_a_configuration_of_its_own() -> (Setup, PathBuf) {
    let mut setup = Setup::new(Backend::Embedded);
    let file = setup.path("../gateway.toml");
    fs::create_dir_all(setup.path("")).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml"), &file).unwrap();
    setup.set("IRONGATE_GATEWAY_CONFIG", file.to_str().unwrap());
    (setup, file)
}

async fn it_shows_traffic_as_it_flows(stage: &Stage, root: &Window) {
    for _ in 0..20 {
        stage.system.get("/auth/health").await;
    }
    root.holds("requests per second", "[...document.querySelectorAll('.tile')].some((one) => one.innerText.includes('Requests') && !one.innerText.includes('\\n0/s'))").await;
    root.holds("three charts of the last hour", "document.querySelectorAll('.chart canvas').length === 3")
        .await;
    root.holds("a strip of checks for each server", "document.querySelectorAll('.strip').length === 3 && [...document.querySelectorAll('.strip')].every((one) => one.querySelector('rect'))").await;
}

async fn a_drained_server_gets_no_request_until_undrained(stage: &Stage, root: &Window) {
    let user = stage.system.server(Service::User).await["address"].as_str().unwrap().to_owned();
    root.click("button", &format!("Drain {user}")).await;
    root.sees(&format!("Drain {user}?")).await;
    root.sees("every request there is answered with 503").await;
    root.press("Escape").await;
    root.loses("dialog", &format!("Drain {user}?")).await;
    assert_eq!(stage.system.server(Service::User).await["state"], "up");

    root.click("button", &format!("Drain {user}")).await;
    root.click_at("dialog .is-primary").await;
    root.sees(&format!("{user} is draining.")).await;
    root.reads(".server", "Draining").await;
    eventually("the service to get no request", LIMIT, || async {
        !stage.system.answers("/user/rules").await
    })
    .await;
    root.click("button", &format!("Undrain {user}")).await;
    root.sees(&format!("{user} gets requests again.")).await;
    root.sees("Everything is up").await;
    eventually("the service to be in use again", LIMIT, || async {
        stage.system.answers("/user/rules").await
    })
    .await;
}

async fn a_failure_is_told_with_its_reason_and_in_the_story(stage: &Stage, root: &Window) {
    let chat = stage.system.server(Service::Chat).await["address"].as_str().unwrap().to_owned();
    root.click("button", &format!("Story of {chat}")).await;
    root.holds("the story", "document.querySelector('.story') !== null").await;
    stage.system.pause(Service::Chat);
    root.sees("chat is down").await;
    root.holds("the tab to say so", "document.title === 'chat is down · Irongate' && document.querySelector('link[rel=icon]').href.endsWith('gate-down.svg')").await;
    root.holds(
        "a reason beside the server",
        "document.querySelector('.server .reason')?.innerText.length > 8",
    )
    .await;
    root.holds("server and reason in the verdict", "[...document.querySelectorAll('.troubles li.is-down')].some((one) => one.innerText.includes('chat') && one.innerText.length > 16)").await;
    root.holds("a failed check in the strip", "document.querySelector('.strip .is-bad') !== null").await;
    root.reads(".story", "Down").await;
    root.has_no_barrier("a dashboard in trouble").await;
    stage.system.resume(Service::Chat);
    root.sees("Everything is up").await;
    root.holds("no trouble left", "document.querySelector('.troubles') === null").await;
    root.reads(".story li:first-child", "Up").await;
}

async fn an_error_is_listed_with_its_request_id(stage: &Stage, root: &Window) {
    stage.system.pause(Service::User);
    stage.system.wait_for(Service::User, "down").await;
    let refused = stage.system.get("/user/rules").await.problem(503);
    stage.system.resume(Service::User);
    root.reads(".errors tr", refused["request_id"].as_str().unwrap()).await;
    root.reads(".errors tr", "GET /user/rules").await;
    root.sees("Everything is up").await;
}

async fn a_reload_is_asked_about_and_says_how_it_ended(root: &Window) {
    root.click("button", "Reload configuration").await;
    root.finds("dialog", "Reload the configuration?").await;
    root.click("button", "Cancel").await;
    root.loses("dialog", "Reload the configuration?").await;
    root.click("button", "Reload configuration").await;
    root.click("button", "Reload").await;
    root.reads(".outcome", "is in force.").await;
    root.click("button", "Dismiss").await;
    root.holds("no outcome", "document.querySelector('.outcome') === null").await;
}

async fn a_refused_reload_says_what_is_wrong(root: &Window, configuration: &Path) {
    let good = fs::read_to_string(configuration).unwrap();
    fs::write(configuration, format!("{good}\n[upstream.parrot]\nhelth_path = \"/\"\n")).unwrap();
    root.click("button", "Reload configuration").await;
    root.click("button", "Reload").await;
    root.reads(".outcome.is-failed", "helth_path").await;
    root.reads(".troubles", "A reload was refused").await;
    root.reads(".refusal", "unknown key `helth_path`").await;
    root.has_no_barrier("a refused reload").await;

    fs::write(configuration, good).unwrap();
    root.click("button", "Reload configuration").await;
    root.click("button", "Reload").await;
    root.reads(".outcome", "is in force.").await;
    root.holds("no trouble left", "document.querySelector('.troubles') === null").await;
}

async fn the_configuration_in_force_is_shown_as_text(root: &Window) {
    root.click("button", "Show what is in force").await;
    root.reads("pre", "[upstream").await;
    root.click("button", "Hide").await;
    root.holds("no text", "document.querySelector('pre') === null").await;
}

async fn the_certificate_is_shown_and_its_authority_handed_out(stage: &Stage, root: &Window) {
    root.reads(".pairs", "self-signed").await;
    root.reads(".pairs", "localhost").await;
    root.holds("a fingerprint", "/^([0-9A-F]{2} ){31}[0-9A-F]{2}$/.test(document.querySelector('.print').innerText.replaceAll(/\\s+/g, ' '))").await;
    let downloads = tempfile::tempdir().unwrap();
    stage.browser.downloads(root, downloads.path()).await;
    root.click("button", "Download authority").await;
    let file = downloads.path().join("irongate-authority.pem");
    eventually("the file", LIMIT, || async { fs::read(&file).ok() == Some(stage.system.authority()) }).await;
}

async fn only_administrators_get_in(stage: &Stage) {
    let stranger = stage.browser.window("stranger").await;
    stranger.goto(&stage.system.url("/admin/")).await;
    stranger.finds("heading", "Who is asking?").await;
    stranger.close().await;
    let ann = stage.newcomer("ann", "/admin/").await;
    ann.finds("heading", "Administrators only").await;
    ann.close().await;
}

async fn the_token_opens_the_admin_listener_while_auth_is_down(stage: &Stage) {
    stage.system.pause(Service::Auth);
    let token = fs::read_to_string(stage.system.setup.path("admin-token")).unwrap();
    let operator = stage.browser.window("operator").await;
    operator.goto(&format!("http://127.0.0.1:{}/admin/", stage.system.setup.admin)).await;
    operator.finds("heading", "Who is asking?").await;
    operator.fill("Admin token", "a guess").await;
    operator.click("button", "Use token").await;
    operator.finds("heading", "That token is not right").await;
    operator.fill("Admin token", token.trim()).await;
    operator.click("button", "Use token").await;
    operator.sees("auth is down").await;
    stage.system.resume(Service::Auth);
    operator.sees("Everything is up").await;

    // As the first start prints it: the token goes out of the address at once.
    let by_link = stage.browser.window("operator by the link").await;
    by_link
        .goto(&format!("http://127.0.0.1:{}/admin/#token={}", stage.system.setup.admin, token.trim()))
        .await;
    by_link.sees("Everything is up").await;
    by_link.holds("no token in the address", "location.hash === ''").await;
}

async fn it_comes_back_after_the_gateway_was_killed(stage: &Stage, root: &Window) {
    stage.system.kill_gateway();
    root.sees("Waiting for the gateway…").await;
    root.sees("Everything is up").await;
}
