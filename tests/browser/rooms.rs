//! Rooms and who is in them: the directory, private rooms and invitations, direct messages, what calls for attention.

use super::{people::Stage, window::Window};

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_people() {
    let stage = Stage::start().await;
    let (ann, bob) = tokio::join!(stage.newcomer("ann", "/"), stage.newcomer("bob", "/"));
    a_public_room_is_found_looked_at_and_joined(&ann, &bob).await;
    a_private_room_is_for_who_is_invited(&stage, &ann, &bob).await;
    a_direct_message_calls_by_its_count(&stage, &ann, &bob).await;
    a_room_counts_what_is_unread_and_marks_mentions(&stage, &ann, &bob).await;
    notifications_tell_who_looks_away(&stage, &ann, &bob).await;
    search_leads_to_the_message(&stage, &ann).await;
    who_keeps_order_can_mute_and_remove(&ann, &bob).await;
    presence_ends_with_the_window(&stage, ann, bob).await;
}

async fn a_public_room_is_found_looked_at_and_joined(ann: &Window, bob: &Window) {
    ann.click("link", "New room").await;
    ann.fill("Name", "harbour").await;
    ann.fill("Topic optional", "Ships and tides").await;
    ann.click("button", "Create room").await;
    ann.say("harbour", "The lamp is lit").await;

    bob.click("link", "Browse rooms").await;
    bob.sees("Ships and tides").await;
    bob.fill("Search rooms", "nothing like it").await;
    bob.finds("heading", "No room of that name").await;
    bob.fill("Search rooms", "harb").await;
    bob.click_at(".room-card-link").await;
    bob.sees("You are looking at harbour from outside.").await;
    bob.has_no_barrier("a room from outside").await;
    bob.hears("The lamp is lit").await;
    bob.click("button", "Join room").await;
    bob.finds("textbox", "Message harbour").await;
    bob.say("harbour", "I see it").await;
    ann.hears("I see it").await;
}

async fn a_private_room_is_for_who_is_invited(stage: &Stage, ann: &Window, bob: &Window) {
    ann.click("link", "New room").await;
    ann.fill("Name", "bridge").await;
    ann.click_at("input[value=private]").await;
    ann.click("button", "Create room").await;
    ann.say("bridge", "Between us").await;
    let path = format!("/rooms/{}", ann.room_id().await);
    bob.goto(&stage.system.url(&path)).await;
    bob.finds("heading", "This room is not here for you").await;
    bob.click("link", "Browse rooms").await;
    bob.sees("harbour").await;
    bob.lacks("bridge").await;

    ann.click("link", "Room details, 1 member").await;
    ann.click("link", "Invite").await;
    ann.fill("Who", "bo").await;
    ann.holds("bob alone", "document.querySelectorAll('.picker-item').length === 1").await;
    ann.click_at(".picker-item").await;
    ann.sees("bob is in bridge now").await;
    // There is nothing more to invite him to.
    ann.holds("bob to be inside", "document.querySelector('.picker-item')?.disabled === true").await;
    ann.press("Escape").await;
    // Without a reload.
    bob.reads(".sidebar", "bridge").await;
    bob.goto(&stage.system.url(&path)).await;
    bob.hears("Between us").await;
}

async fn a_direct_message_calls_by_its_count(stage: &Stage, ann: &Window, bob: &Window) {
    bob.goto(&stage.system.url("/rooms")).await;
    ann.click("link", "New message").await;
    ann.fill("To", "bob").await;
    ann.holds("bob alone", "document.querySelectorAll('.picker-item').length === 1").await;
    ann.click_at(".picker-item").await;
    ann.say("bob", "Only for you").await;

    bob.has_badge("ann", "1 new").await;
    bob.holds("the title to say so", "document.title.startsWith('(1)')").await;
    ann.say("bob", "And this").await;
    bob.has_badge("ann", "2 new").await;
    // Who is there has a dot.
    bob.holds("ann to be there", "[...document.querySelectorAll('.sidebar li')].some((one) => one.innerText.includes('ann') && one.querySelector('.presence.is-online'))").await;
    bob.click_at(".side-section:last-of-type .side-link").await;
    bob.hears("And this").await;
    bob.has_badge("ann", "").await;
    ann.reads(".seen", "Seen").await;
}

async fn a_room_counts_what_is_unread_and_marks_mentions(stage: &Stage, ann: &Window, bob: &Window) {
    bob.goto(&stage.system.url("/settings/appearance")).await;
    go_to_room(ann, "harbour").await;
    ann.say("harbour", "One for all").await;
    bob.has_badge("harbour", "1 unread").await;
    ann.say("harbour", "Another for all").await;
    bob.has_badge("harbour", "2 unread").await;
    // Completed from the list of members, by keyboard.
    ann.fill("Message harbour", "Now you, @b").await;
    ann.finds("listbox", "People to mention").await;
    ann.has_no_barrier("people to mention").await;
    ann.press("Tab").await;
    ann.types("please").await;
    ann.press_enter().await;
    ann.hears("Now you, @bob please").await;
    bob.has_badge("harbour", "1 mentions").await;

    go_to_room(bob, "harbour").await;
    bob.reads(".message.is-for-me", "@bob please").await;
    bob.reads(".new-from", "New").await;
    bob.has_badge("harbour", "").await;
    ann.reads(".seen", "Seen").await;
}

async fn notifications_tell_who_looks_away(stage: &Stage, ann: &Window, bob: &Window) {
    stage.browser.grant(bob, "notifications").await;
    bob.goto(&stage.system.url("/settings/notifications")).await;
    bob.click_at("input[type=checkbox]").await;
    bob.holds("alerts to be on", "localStorage.getItem('irongate.alerts') === '1'").await;
    go_to_room(bob, "bridge").await;
    // What the system shows cannot be seen from here, so who shows it is listened to.
    let listen = "window.shown = []; window.Notification = class extends Notification {
        constructor(title, about) { super(title, about); shown.push(`${title}: ${about.body}`); } }; true";
    bob.evaluate(listen).await.unwrap();

    ann.say("harbour", "Nothing for @bob while he looks").await;
    bob.has_badge("harbour", "1 mentions").await;
    bob.holds("silence", "shown.length === 0").await;
    bob.is_looked_at(false).await;
    let elsewhere = stage.browser.tab_beside(bob).await;
    ann.say("harbour", "Fog, @bob!").await;
    bob.holds("a notification", "shown.join() === 'ann in harbour: Fog, @bob!'").await;
    elsewhere.close().await;
    bob.is_looked_at(true).await;
}

async fn search_leads_to_the_message(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/search")).await;
    ann.fill("Search messages", "lamp").await;
    ann.reads(".hit mark", "lamp").await;
    ann.is_at("/search?q=lamp").await;
    ann.click_at(".hit").await;
    ann.reads(".message.is-flashed", "The lamp is lit").await;
    ann.back().await;
    ann.finds("searchbox", "Search messages").await;
    ann.fill("Search messages", "nobody ever said this").await;
    ann.finds("heading", "Nothing found").await;
}

async fn who_keeps_order_can_mute_and_remove(ann: &Window, bob: &Window) {
    go_to_room(bob, "harbour").await;
    go_to_room(ann, "harbour").await;
    ann.click("link", "Room details, 2 members").await;
    ann.click("button", "Manage bob").await;
    ann.finds("dialog", "bob").await;
    ann.has_no_barrier("what can be done with a member").await;
    ann.back().await;
    ann.loses("dialog", "bob").await;
    ann.finds("complementary", "Room details").await;
    ann.click("button", "Manage bob").await;
    ann.click_at("dialog[open] .member-actions li:nth-child(2) button").await;
    ann.sees("bob is muted for an hour").await;

    // A refused message stays, with its reason, and can be sent again.
    bob.fill("Message harbour", "May I speak?").await;
    bob.press_enter().await;
    bob.reads(".not-sent", "Not sent").await;
    bob.has_no_barrier("a message that was not sent").await;
    ann.click("button", "Manage bob").await;
    ann.click_at("dialog[open] .member-actions li:nth-child(2) button").await;
    ann.sees("bob may write again").await;
    bob.click("button", "Send again").await;
    bob.hears("May I speak?").await;
    bob.holds("nothing left unsent", "document.querySelector('.not-sent') === null").await;
    ann.hears("May I speak?").await;

    ann.click("button", "Manage bob").await;
    ann.click_at("dialog[open] .member-actions li:nth-child(3) button").await;
    bob.sees("You were removed from this room.").await;
    bob.is_at("/").await;
    // The browser is going back from the dialog, and would give up another way meanwhile.
    ann.holds("the dialog left behind", "!document.querySelector('dialog[open]') && !history.state?.layer")
        .await;
}

async fn presence_ends_with_the_window(stage: &Stage, ann: Window, bob: Window) {
    ann.goto(&stage.system.url("/")).await;
    let there = "[...document.querySelectorAll('.sidebar li')].some((one) => one.innerText.includes('bob') && one.querySelector('.presence.is-online'))";
    ann.holds("bob to be there", there).await;
    bob.close().await;
    ann.holds("bob to be gone", &format!("!({there})")).await;
}

async fn go_to_room(window: &Window, name: &str) {
    let link = format!(
        "[...document.querySelectorAll('.sidebar .side-link')].find((one) => one.querySelector('.side-name')?.innerText === '{name}')"
    );
    window.holds(&format!("{name} in the list"), &format!("Boolean({link})")).await;
    window.evaluate(&format!("{link}.click()")).await.unwrap();
    window.finds("textbox", &format!("Message {name}")).await;
}
