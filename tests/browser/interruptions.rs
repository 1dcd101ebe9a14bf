//! Services that die and stand still under an open conversation, and tabs that share one session.

use serde_json::{Value, json};

use super::{people::Stage, window::Window};
use crate::support::Service;

const ROOM: &str = "harbour";

#[tokio::test(flavor = "multi_thread")]
async fn interruptions() {
    let stage = Stage::start().await;
    let (ann, bob) = tokio::join!(stage.newcomer("ann", "/"), stage.newcomer("bob", "/rooms"));
    ann.open_room(ROOM).await;
    bob.reload().await;
    bob.click("button", "Join harbour").await;
    bob.finds("textbox", "Message harbour").await;

    a_killed_chat_service_loses_nothing_and_scares_nobody(&stage, &ann, &bob).await;
    a_message_shows_before_the_server_has_it(&stage, &ann, &bob).await;
    a_killed_auth_service_is_not_noticed(&stage, &ann, &bob).await;
    a_killed_user_service_is_not_noticed(&stage, &ann, &bob).await;
    a_killed_gateway_loses_nothing_either(&stage, &ann, &bob).await;
    two_tabs_refresh_together_and_stay_signed_in(&stage, &ann).await;
}

async fn a_killed_chat_service_loses_nothing_and_scares_nobody(stage: &Stage, ann: &Window, bob: &Window) {
    ann.say(ROOM, "number 1").await;
    bob.hears("number 1").await;
    stage.system.kill(Service::Chat);
    for number in 2..=5 {
        let (from, to) = if number % 2 == 0 { (ann, bob) } else { (bob, ann) };
        from.fill("Message harbour", &format!("number {number}")).await;
        from.press_enter().await;
        // Shown at once, whatever the server does.
        from.sees(&format!("number {number}")).await;
        from.is_calm().await;
        to.is_calm().await;
    }
    for window in [ann, bob] {
        for number in 1..=5 {
            window.hears(&format!("number {number}")).await;
        }
        window.is_calm().await;
    }
    // Once each, in the same order for both.
    let (seen_by_ann, mut sorted) = (ann.conversation().await, ann.conversation().await);
    assert_eq!(seen_by_ann, bob.conversation().await);
    sorted.sort();
    assert_eq!(sorted, [1, 2, 3, 4, 5].map(|number| format!("number {number}")));
}

async fn a_message_shows_before_the_server_has_it(stage: &Stage, ann: &Window, bob: &Window) {
    stage.system.pause(Service::Chat);
    ann.fill("Message harbour", "While it stands still").await;
    ann.press_enter().await;
    ann.reads(".message.is-sending", "While it stands still").await;
    ann.sees("Reconnecting…").await;
    ann.is_calm().await;
    ann.has_no_barrier("a lost connection").await;
    stage.system.resume(Service::Chat);
    bob.hears("While it stands still").await;
    ann.hears("While it stands still").await;
    ann.lacks("Reconnecting…").await;
    ann.holds("one such message", "[...document.querySelectorAll('.message')].filter((one) => one.innerText.includes('While it stands still')).length === 1").await;
}

async fn a_killed_auth_service_is_not_noticed(stage: &Stage, ann: &Window, bob: &Window) {
    stage.system.kill(Service::Auth);
    ann.say(ROOM, "Who needs sign-ins?").await;
    bob.hears("Who needs sign-ins?").await;
    ann.is_calm().await;
    stage.system.wait_for(Service::Auth, "up").await;
}

async fn a_killed_user_service_is_not_noticed(stage: &Stage, ann: &Window, bob: &Window) {
    stage.system.kill(Service::User);
    bob.say(ROOM, "Who needs profiles?").await;
    ann.hears("Who needs profiles?").await;
    // Names stand where they stood, from what chat-svc knows of them.
    ann.reads(".message-author", "bob").await;
    ann.is_calm().await;
    stage.system.wait_for(Service::User, "up").await;
}

/// The way itself breaks: nothing can be sent, and what was written goes as soon as it can.
async fn a_killed_gateway_loses_nothing_either(stage: &Stage, ann: &Window, bob: &Window) {
    stage.system.kill_gateway();
    ann.fill("Message harbour", "Is anybody at the gate?").await;
    ann.press_enter().await;
    ann.sees("Is anybody at the gate?").await;
    ann.is_calm().await;
    bob.hears("Is anybody at the gate?").await;
    ann.hears("Is anybody at the gate?").await;
    ann.holds("one such message", "[...document.querySelectorAll('.message')].filter((one) => one.innerText.includes('at the gate')).length === 1").await;
    ann.is_calm().await;
    bob.is_calm().await;
}

async fn two_tabs_refresh_together_and_stay_signed_in(stage: &Stage, ann: &Window) {
    let second = stage.browser.tab_beside(ann).await;
    second.goto(&stage.system.url(&format!("/rooms/{}", ann.room_id().await))).await;
    second.hears("number 1").await;
    // Both at one moment, as two tabs do whose tokens run out together; and again, on what the first time left.
    for _ in 0..3 {
        let refresh = "import('/app/net/api.js').then(({ session }) => session.token({ fresh: true }))";
        let (one, other) = tokio::join!(ann.evaluate(refresh), second.evaluate(refresh));
        assert!(
            one.as_ref().is_ok_and(Value::is_string) && other.as_ref().is_ok_and(Value::is_string),
            "{one:?} {other:?}"
        );
        for window in [ann, &second] {
            let works = window
                .evaluate(
                    "import('/app/net/api.js').then((api) => api.me()).then(({ user }) => user.username)",
                )
                .await;
            assert_eq!(works, Ok(json!("ann")));
        }
    }
    second.say(ROOM, "From the second tab").await;
    ann.hears("From the second tab").await;
    // Signing out in one ends both.
    second.goto(&stage.system.url("/settings")).await;
    second.click("button", "Sign out").await;
    ann.finds("heading", "Sign in").await;
    second.finds("link", "Create an account").await;
}
