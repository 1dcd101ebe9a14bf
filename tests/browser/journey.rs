//! The newcomer's journey: two people, two windows, and a service that dies between them.

use super::{chromium::Chromium, window::Window};
use crate::support::{Backend, PASSWORD, Service, System};

#[tokio::test(flavor = "multi_thread")]
async fn two_newcomers_talk_while_chat_is_killed_and_the_dashboard_says_so() {
    let system = System::start(Backend::Embedded).await;
    let browser = Chromium::start();
    let (mut ann, mut bob) = (browser.window("ann").await, browser.window("bob").await);

    register(&system, &ann, "ann").await;
    register(&system, &bob, "bob").await;
    open_room(&ann, "harbour").await;
    bob.click("link", "Browse rooms").await;
    bob.click("button", "Join harbour").await;

    say(&ann, "harbour", "Hello Bob").await;
    bob.sees("Hello Bob").await;
    say(&bob, "harbour", "Hello Ann").await;
    ann.sees("Hello Ann").await;
    assert_eq!((ann.complaints(), bob.complaints()), (vec![], vec![]));

    let operator = dashboard(&system, &browser).await;
    system.pause(Service::Chat);
    operator.sees("A service is down").await;
    system.resume(Service::Chat);
    operator.sees("Everything is up").await;

    system.kill(Service::Chat);
    say(&ann, "harbour", "Still there?").await;
    bob.sees("Still there?").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_leads_to_the_door_and_back_in() {
    let system = System::start(Backend::Embedded).await;
    let browser = Chromium::start();
    let ann = browser.window("ann").await;
    register(&system, &ann, "ann").await;

    ann.click("link", "Settings").await;
    ann.click("button", "Sign out").await;
    ann.finds("link", "Create an account").await;
    ann.goto(&system.url("/login")).await;
    ann.fill("Username or e-mail", "ann").await;
    ann.fill("Password", PASSWORD).await;
    ann.press_enter().await;

    ann.sees("Welcome to Irongate").await;
}

async fn register(system: &System, window: &Window, name: &str) {
    window.goto(&system.url("/")).await;
    window.click("link", "Create an account").await;
    window.fill("Username", name).await;
    window.fill("E-mail", &format!("{name}@example.org")).await;
    window.fill("Password", PASSWORD).await;
    window.click("button", "Create account").await;
    window.sees("Welcome to Irongate").await;
}

async fn open_room(window: &Window, name: &str) {
    window.click("link", "New room").await;
    window.fill("Name", name).await;
    window.click("button", "Create room").await;
    window.finds("textbox", &format!("Message {name}")).await;
}

async fn say(window: &Window, room: &str, text: &str) {
    window.fill(&format!("Message {room}"), text).await;
    window.press_enter().await;
    window.sees(text).await;
}

/// The dashboard as an administrator has it, signed in on the main port.
async fn dashboard(system: &System, browser: &Chromium) -> Window {
    assert!(system.setup.create_admin("root", PASSWORD).status.success());
    let window = browser.window("root").await;
    window.goto(&system.url("/login")).await;
    window.fill("Username or e-mail", "root").await;
    window.fill("Password", PASSWORD).await;
    window.press_enter().await;
    window.sees("Welcome to Irongate").await;
    window.goto(&system.url("/admin/")).await;
    window.sees("Everything is up").await;
    window
}
