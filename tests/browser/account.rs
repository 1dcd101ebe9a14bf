//! The user's own pages: picture, profile, sessions, appearance; and the keys and sizes that hold everywhere.

use super::{hands::Screen, people::Stage, report, window::Window};
use base64::{Engine as _, prelude::BASE64_STANDARD};

#[tokio::test(flavor = "multi_thread")]
async fn the_account_and_the_screen() {
    let stage = Stage::start().await;
    let ann = stage.newcomer("ann", "/settings/profile").await;
    the_chosen_part_of_a_picture_becomes_the_avatar(&ann).await;
    two_windows_do_not_overwrite_each_other(&stage, &ann).await;
    light_and_dark_follow_the_system_or_the_choice(&ann).await;
    motion_stops_for_those_who_ask(&ann).await;
    a_phone_shows_one_thing_at_a_time(&stage, &ann).await;
    keys_lead_everywhere(&stage, &ann).await;
    the_back_button_closes_what_was_opened(&stage, &ann).await;
    signing_out_everywhere_closes_the_other_browser(&stage, &ann).await;
}

async fn the_chosen_part_of_a_picture_becomes_the_avatar(ann: &Window) {
    let script = "(() => { const canvas = Object.assign(document.createElement('canvas'), { width: 800, height: 400 });
        const context = canvas.getContext('2d');
        context.fillStyle = '#ff0000'; context.fillRect(0, 0, 400, 400);
        context.fillStyle = '#0000ff'; context.fillRect(400, 0, 400, 400);
        return canvas.toDataURL('image/png').split(',')[1]; })()";
    let picture = ann.evaluate(script).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("red and blue.png");
    std::fs::write(&file, BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();

    ann.choose_file("input[type=file]", &file).await;
    ann.finds("heading", "Your picture").await;
    ann.has_no_barrier("cutting a picture").await;
    ann.back().await;
    ann.loses("heading", "Your picture").await;
    ann.is_at("/settings/profile").await;
    ann.choose_file("input[type=file]", &file).await;
    ann.finds("heading", "Your picture").await;
    ann.holds("the button", "!document.querySelector('dialog .is-primary').disabled").await;
    ann.evaluate("document.querySelector('.crop').focus()").await.unwrap();
    for _ in 0..25 {
        ann.press("ArrowLeft").await;
    }
    ann.click("button", "Use picture").await;
    ann.sees("Picture saved").await;

    // Moved to the left end, the square holds nothing of the blue half.
    let corner =
        "(async () => { const face = document.querySelector('.profile-head img'); await face.decode();
        const canvas = Object.assign(document.createElement('canvas'), { width: 10, height: 10 });
        const context = canvas.getContext('2d'); context.drawImage(face, 0, 0, 10, 10);
        const [red, , blue] = context.getImageData(8, 5, 1, 1).data; return red > 200 && blue < 60; })()";
    ann.holds("a red picture", corner).await;
}

async fn two_windows_do_not_overwrite_each_other(stage: &Stage, ann: &Window) {
    let other = stage.browser.tab_beside(ann).await;
    other.goto(&stage.system.url("/settings/profile")).await;
    other.finds("textbox", "Display name").await;
    ann.fill("Display name", "Ann Lee").await;
    ann.press_enter().await;
    ann.sees("Profile saved").await;

    other.fill("About you optional", "Harbour master").await;
    other.click("button", "Save changes").await;
    other.sees("changed in another window meanwhile").await;
    other.click("button", "Save changes").await;
    other.sees("Profile saved").await;
    ann.reload().await;
    ann.holds("both changes", "[...document.querySelectorAll('.settings-page input, .settings-page textarea')].filter(({ value }) => ['Ann Lee', 'Harbour master'].includes(value)).length === 2").await;
    other.close().await;
}

/// Whether the page is dark.
const IS_DARK: &str =
    "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every((part) => part < 60)";

async fn light_and_dark_follow_the_system_or_the_choice(ann: &Window) {
    ann.click("link", "Appearance").await;
    ann.prefers("prefers-color-scheme", "dark").await;
    ann.holds("dark as the system", IS_DARK).await;
    ann.click("radio", "Light").await;
    ann.holds("light by choice", &format!("!({IS_DARK})")).await;
    ann.reload().await;
    ann.holds("light after a reload", &format!("document.readyState === 'complete' && !({IS_DARK})")).await;
    ann.click("radio", "As the system Follows your device.").await;
    ann.holds("dark again", IS_DARK).await;
    ann.prefers("prefers-color-scheme", "light").await;
}

async fn motion_stops_for_those_who_ask(ann: &Window) {
    let moving = "getComputedStyle(document.querySelector('.side-link')).transitionDuration.split(', ').some((time) => parseFloat(time) > 0.02)
        || getComputedStyle(document.querySelector('.button, .icon-button')).transitionDuration.split(', ').some((time) => parseFloat(time) > 0.02)";
    ann.holds("something that moves", moving).await;
    ann.prefers("prefers-reduced-motion", "reduce").await;
    ann.holds("nothing that moves", &format!("!({moving})")).await;
    ann.prefers("prefers-reduced-motion", "no-preference").await;
}

async fn a_phone_shows_one_thing_at_a_time(stage: &Stage, ann: &Window) {
    let shown =
        |selector: &str| format!("(document.querySelector('{selector}')?.checkVisibility() ?? false)");
    ann.goto(&stage.system.url("/")).await;
    ann.open_room("harbour").await;
    ann.holds("list and room", &format!("{} && {}", shown(".sidebar"), shown(".composer"))).await;

    ann.screen(Screen::Phone).await;
    ann.holds("the room alone", &format!("!({}) && {}", shown(".sidebar"), shown(".composer"))).await;
    ann.holds("no sideways scrolling", "document.documentElement.scrollWidth <= innerWidth").await;
    ann.click("link", "Back").await;
    ann.holds("the list alone", &format!("{} && !({})", shown(".sidebar"), shown(".composer"))).await;

    ann.screen(Screen::Wide).await;
    ann.back().await;
    ann.say("harbour", &["Words that fill more than one line on any screen."; 12].join(" ")).await;
    ann.holds(
        "lines that can be read",
        "document.querySelector('.message-body').getBoundingClientRect().width < 900",
    )
    .await;
    ann.holds("no sideways scrolling", "document.documentElement.scrollWidth <= innerWidth").await;
    ann.screen(Screen::Desktop).await;
}

async fn keys_lead_everywhere(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/")).await;
    ann.finds("heading", "Pick a conversation").await;
    ann.press("Control+k").await;
    ann.finds("combobox", "Room or person").await;
    ann.types("harb").await;
    ann.reads(".picker-item[aria-selected=true]", "harbour").await;
    ann.press_enter().await;
    ann.finds("textbox", "Message harbour").await;
    ann.writes().await;

    // Without a mouse: what was said, its tools, an answer to it.
    ann.types("First words").await;
    ann.press_enter().await;
    ann.hears("First words").await;
    ann.press("Shift+Tab").await;
    ann.holds("the messages to have the focus", "document.activeElement.closest('.messages') !== null").await;
    ann.press("ArrowUp").await;
    ann.holds("the message to have the focus", "document.activeElement.matches('.message')").await;
    ann.press("r").await;
    ann.sees("Replying to").await;
    ann.writes().await;
    ann.press("Escape").await;
    ann.lacks("Replying to").await;
    ann.press("ArrowUp").await;
    ann.sees("Editing your message").await;
    ann.writes().await;
    ann.press("Escape").await;
    ann.lacks("Editing your message").await;

    ann.goto(&stage.system.url("/")).await;
    ann.finds("heading", "Pick a conversation").await;
    ann.press("?").await;
    ann.finds("heading", "Keyboard and formatting").await;
    ann.press("Escape").await;
    ann.loses("heading", "Keyboard and formatting").await;
    ann.press("/").await;
    ann.finds("searchbox", "Search messages").await;
    skipping_leads_past_the_list(stage, ann).await;
}

impl Window {
    /// Waits until the composer has the focus.
    async fn writes(&self) {
        self.holds("the focus in the composer", "document.activeElement.matches('.composer textarea')").await;
    }
}

async fn skipping_leads_past_the_list(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/rooms")).await;
    ann.finds("heading", "Browse rooms").await;
    ann.press("Tab").await;
    ann.holds("the way past the list", "document.activeElement.matches('.skip')").await;
    ann.press_enter().await;
    ann.holds("the content to have the focus", "document.activeElement.id === 'content'").await;
}

async fn the_back_button_closes_what_was_opened(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/")).await;
    ann.click_at(".sidebar .side-section .side-link").await;
    ann.finds("textbox", "Message harbour").await;
    ann.click("link", "Room details, 1 member").await;
    ann.finds("complementary", "Room details").await;
    ann.click("link", "Edit room").await;
    ann.finds("dialog", "Edit room").await;

    ann.back().await;
    ann.loses("dialog", "Edit room").await;
    ann.finds("complementary", "Room details").await;
    ann.back().await;
    ann.loses("complementary", "Room details").await;
    ann.back().await;
    ann.finds("heading", "Pick a conversation").await;
    what_has_no_address_is_closed_too(stage, ann).await;
}

async fn what_has_no_address_is_closed_too(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/rooms")).await;
    ann.finds("heading", "Browse rooms").await;
    ann.click_at(".sidebar .side-section .side-link").await;
    ann.finds("textbox", "Message harbour").await;
    let room = ann.evaluate("location.pathname").await.unwrap().as_str().unwrap().to_owned();

    ann.click("button", "Emoji").await;
    ann.finds("dialog", "Emoji").await;
    ann.back().await;
    ann.loses("dialog", "Emoji").await;
    ann.is_at(&room).await;

    // Closed by its own button it leaves no entry behind: the next step back is a step.
    ann.click("button", "Emoji").await;
    ann.finds("dialog", "Emoji").await;
    ann.press("Escape").await;
    ann.loses("dialog", "Emoji").await;
    ann.click("link", "New message").await;
    ann.finds("dialog", "New message").await;
    ann.press("Escape").await;
    ann.loses("dialog", "New message").await;
    ann.back().await;
    ann.finds("heading", "Browse rooms").await;

    // Forward again, to the room and not to a dialog of the past.
    ann.evaluate("history.forward()").await.unwrap();
    ann.finds("textbox", "Message harbour").await;
    ann.holds("no dialog", "document.querySelector('dialog[open]') === null").await;

    // What an answer leads to is there, and what was asked is not to be come back to.
    ann.act_on_message("First words", "Delete").await;
    ann.finds("dialog", "Delete message").await;
    ann.back().await;
    ann.loses("dialog", "Delete message").await;
    ann.act_on_message("First words", "Delete").await;
    ann.click_at("dialog[open] .is-danger").await;
    ann.hears("This message was deleted.").await;
    ann.is_at(&room).await;
    ann.back().await;
    ann.finds("heading", "Browse rooms").await;
}

async fn signing_out_everywhere_closes_the_other_browser(stage: &Stage, ann: &Window) {
    let phone = stage.browser.window("ann's phone").await;
    stage.sign_in_at(&phone, "ann", "/").await;
    phone.sees("Pick a conversation").await;
    phone.reads(".me", "Online").await;
    ann.goto(&stage.system.url("/settings/sessions")).await;
    // The third is that of the registration by the API.
    ann.holds("three sessions", "document.querySelectorAll('.device').length === 3").await;
    ann.reads(".device", "This one").await;

    ann.click("button", "Sign out everywhere").await;
    ann.holds("the question", "document.querySelector('dialog[open] .is-danger') !== null").await;
    let closed = "new Promise((closed) => new MutationObserver((_, watch) => {
        if (document.querySelector('.entry')) { watch.disconnect(); closed(Date.now()); }
      }).observe(document.body, { childList: true, subtree: true }))";
    let answered =
        "new Promise((answered) => new PerformanceObserver((list) => list.getEntries().forEach((one) => {
        if (one.name.endsWith('/auth/logout-all')) answered(performance.timeOrigin + one.responseEnd);
      })).observe({ type: 'resource' }))";
    let (closed, answered, ()) =
        tokio::join!(phone.evaluate(closed), ann.evaluate(answered), ann.click_at("dialog[open] .is-danger"));
    let after = closed.unwrap().as_f64().unwrap() - answered.unwrap().as_f64().unwrap();
    report::keep("sign-out", &format!("the other browser was closed {after:.0} ms after the answer\n"));
    assert!(after < 1000., "closed after {after} ms");
    ann.finds("link", "Create an account").await;
    phone.finds("link", "Create an account").await;
}
