//! A conversation between two people: what a message can look like, and what can be done with it.

use super::{people::Stage, window::Window};

const ROOM: &str = "harbour";

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation() {
    let stage = Stage::start().await;
    let (ann, bob) = tokio::join!(stage.newcomer("ann", "/"), stage.newcomer("bob", "/rooms"));
    ann.open_room(ROOM).await;
    bob.reload().await;
    bob.click("button", "Join harbour").await;
    bob.finds("textbox", "Message harbour").await;

    what_is_typed_shows_to_the_other(&ann, &bob).await;
    messages_of_one_person_stand_under_one_name(&ann, &bob).await;
    links_and_code_are_formatted(&ann, &bob).await;
    a_reply_leads_to_what_it_answers(&ann, &bob).await;
    reactions_are_counted_and_taken_back(&ann, &bob).await;
    a_message_is_edited_and_deleted(&ann, &bob).await;
    a_draft_outlives_a_reload(&stage, &ann).await;
    days_are_set_apart(&stage, &ann).await;
}

async fn what_is_typed_shows_to_the_other(ann: &Window, bob: &Window) {
    bob.fill("Message harbour", "Hello A").await;
    ann.reads(".typing-line", "bob is typing").await;
    bob.types("nn").await;
    bob.press_enter().await;
    ann.hears("Hello A").await;
    ann.holds("nobody to type", "document.querySelector('.typing-line').innerText === ''").await;
    // Read, because it is in front of somebody.
    bob.reads(".seen", "Seen").await;
}

async fn messages_of_one_person_stand_under_one_name(ann: &Window, bob: &Window) {
    ann.say(ROOM, "First of two").await;
    ann.say(ROOM, "Second of two").await;
    bob.hears("Second of two").await;
    bob.reads(".message.is-grouped", "Second of two").await;
    bob.holds("a name over the first", "[...document.querySelectorAll('.message:not(.is-grouped)')].some((one) => one.innerText.includes('First of two') && one.querySelector('.message-author'))").await;
}

async fn links_and_code_are_formatted(ann: &Window, bob: &Window) {
    ann.fill("Message harbour", "See https://example.org/a?b=1, *really*: `let x = 1;`").await;
    ann.press_enter().await;
    bob.holds(
        "a link that tells its target nothing",
        "(() => { const link = document.querySelector('.message-body a[href=\"https://example.org/a?b=1\"]');
           return link?.target === '_blank' && /noopener/.test(link.rel) && /noreferrer/.test(link.rel); })()",
    )
    .await;
    bob.reads(".message-body strong", "really").await;
    bob.reads(".message-body code", "let x = 1;").await;
    ann.fill("Message harbour", "```\nfn main() {}\n```").await;
    ann.press_enter().await;
    bob.reads(".message-body pre code", "fn main() {}").await;
    ann.fill("Message harbour", "javascript:alert(1) is no link").await;
    ann.press_enter().await;
    bob.hears("javascript:alert(1) is no link").await;
    bob.holds("no such link", "document.querySelector('.message-body a[href^=javascript]') === null").await;
}

async fn a_reply_leads_to_what_it_answers(ann: &Window, bob: &Window) {
    bob.act_on_message("Hello Ann", "Reply").await;
    bob.sees("Replying to").await;
    bob.has_no_barrier("a reply under way").await;
    bob.types("And more").await;
    bob.press_enter().await;
    ann.reads(".replied", "Hello Ann").await;
    ann.click_at(".replied").await;
    ann.reads(".message.is-flashed", "Hello Ann").await;
}

async fn reactions_are_counted_and_taken_back(ann: &Window, bob: &Window) {
    ann.act_on_message("Hello Ann", "Add reaction").await;
    ann.click("button", "React with 🎉").await;
    bob.finds("button", "🎉 1, ann").await;
    bob.click("button", "🎉 1, ann").await;
    ann.finds("button", "🎉 2, you, bob").await;
    ann.click("button", "🎉 2, you, bob").await;
    bob.finds("button", "🎉 1, you").await;
    bob.click("button", "🎉 1, you").await;
    ann.holds("no reaction", "document.querySelector('.reaction') === null").await;
}

async fn a_message_is_edited_and_deleted(ann: &Window, bob: &Window) {
    ann.act_on_message("First of two", "Edit").await;
    ann.sees("Editing your message").await;
    ann.fill("Message harbour", "First, corrected").await;
    ann.press_enter().await;
    bob.hears("First, corrected").await;
    bob.reads(".message", "edited").await;
    ann.act_on_message("Second of two", "Delete").await;
    ann.click_at("dialog[open] .is-danger").await;
    bob.hears("This message was deleted.").await;
    bob.lacks("Second of two").await;
}

async fn a_draft_outlives_a_reload(stage: &Stage, ann: &Window) {
    ann.fill("Message harbour", "Not finished yet").await;
    let here = format!("/rooms/{}", ann.room_id().await);
    ann.goto(&stage.system.url("/rooms")).await;
    ann.finds("heading", "Browse rooms").await;
    ann.goto(&stage.system.url(&here)).await;
    ann.holds("the draft", "document.querySelector('.composer textarea')?.value === 'Not finished yet'")
        .await;
    ann.fill("Message harbour", "x").await;
    ann.press_enter().await;
    ann.holds("an empty field", "document.querySelector('.composer textarea').value === ''").await;
}

async fn days_are_set_apart(stage: &Stage, ann: &Window) {
    ann.holds("one day", "document.querySelectorAll('.day').length === 1").await;
    let first_two = "seq IN (SELECT seq FROM messages ORDER BY seq LIMIT 2)";
    stage
        .system
        .rewrite(&format!("UPDATE messages SET created_at_ms = created_at_ms - 86400000 WHERE {first_two}"));
    ann.reload().await;
    ann.holds(
        "two days",
        "[...document.querySelectorAll('.day')].map((one) => one.innerText).join() === 'Yesterday,Today'",
    )
    .await;
}
