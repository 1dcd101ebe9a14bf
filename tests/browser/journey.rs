//! The newcomer's journey: two people, two windows, and a service that dies between them.

use super::people::Stage;
use crate::support::Service;

#[tokio::test(flavor = "multi_thread")]
async fn two_newcomers_talk_while_chat_is_killed_and_the_dashboard_says_so() {
    let stage = Stage::start().await;
    let (mut ann, mut bob) = (stage.browser.window("ann").await, stage.browser.window("bob").await);

    stage.register(&ann, "ann").await;
    stage.register(&bob, "bob").await;
    ann.open_room("harbour").await;
    bob.click("link", "Browse rooms").await;
    bob.click("button", "Join harbour").await;

    ann.say("harbour", "Hello Bob").await;
    bob.sees("Hello Bob").await;
    bob.say("harbour", "Hello Ann").await;
    ann.sees("Hello Ann").await;
    assert_eq!((ann.complaints(), bob.complaints()), (vec![], vec![]));

    let operator = stage.administrator().await;
    operator.sees("Everything is up").await;
    stage.system.pause(Service::Chat);
    operator.sees("chat is down").await;
    stage.system.resume(Service::Chat);
    operator.sees("Everything is up").await;

    stage.system.kill(Service::Chat);
    ann.say("harbour", "Still there?").await;
    bob.sees("Still there?").await;
}
