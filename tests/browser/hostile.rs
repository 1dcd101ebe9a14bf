//! Markup and script in every field that somebody can fill: all of it shows as the text that it is.

use serde_json::json;

use super::{people::Stage, window::Window};

/// Breaks out of text, of attributes and of comments, where any of it is made by gluing strings.
const PAYLOAD: &str = r#""'><img src=x onerror=hit()><script>hit()</script>"#;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_in_every_field_shows_as_text() {
    let stage = Stage::start().await;
    let eve = stage.system.newcomer("eve").await;
    let ann = stage.newcomer("ann", "/settings/profile").await;

    // What the interface or the server would refuse in one window is written past them by the API.
    let me = json!({"display_name": PAYLOAD, "bio": PAYLOAD});
    eve.send(&stage.system, reqwest::Method::PATCH, "/user/me", Some(&me)).await.expect(200);
    let room = json!({"kind": "public", "name": PAYLOAD, "topic": PAYLOAD});
    let room = eve.post(&stage.system, "/chat/rooms", &room).await.expect(201).json();
    let room = room["id"].as_str().unwrap();
    let mut chat = eve.chat(&stage.system).await;
    chat.join(room, None).await;
    chat.say(room, PAYLOAD).await;
    chat.say(
        room,
        &format!(
            "*{PAYLOAD}* `{PAYLOAD}` https://example.org/{PAYLOAD} @eve\n> {PAYLOAD}\n```\n{PAYLOAD}\n```"
        ),
    )
    .await;

    ann.fill("Display name", PAYLOAD).await;
    ann.fill("About you optional", PAYLOAD).await;
    ann.press("Tab").await;
    ann.click("button", "Save changes").await;
    ann.sees("Profile saved").await;
    shows_as_text(&ann, ".me").await;

    ann.goto(&stage.system.url("/rooms")).await;
    shows_as_text(&ann, ".room-card").await;
    ann.click_at(".room-card .button").await;
    shows_as_text(&ann, ".message-body").await;
    shows_as_text(&ann, ".message-author").await;
    shows_as_text(&ann, ".bar-title").await;
    shows_as_text(&ann, ".sidebar").await;
    shows_as_text(&ann, ".message-body pre").await;
    ann.fill(&format!("Message {PAYLOAD}"), PAYLOAD).await;
    ann.press_enter().await;
    ann.hears(PAYLOAD).await;
    ann.act_on_message(PAYLOAD, "Reply").await;
    shows_as_text(&ann, ".composer-intent").await;
    ann.types("An answer").await;
    ann.press_enter().await;
    shows_as_text(&ann, ".replied").await;

    ann.goto(&stage.system.url(&format!("/rooms/{room}?details=1&dialog=person&name=eve"))).await;
    shows_as_text(&ann, ".person").await;
    shows_as_text(&ann, ".details").await;
    for path in ["/search?q=onerror", "/?dialog=jump", "/?dialog=new-message"] {
        ann.goto(&stage.system.url(path)).await;
        shows_as_text(&ann, "#app").await;
    }
    a_room_is_renamed(&stage, &ann).await;
    a_browser_may_call_itself_anything(&stage, &ann).await;
    hostile_addresses(&stage, &ann).await;
}

/// What changes under the eyes of others, and what waits to be sent.
async fn a_room_is_renamed(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/")).await;
    ann.open_room("quay").await;
    ann.fill("Message quay", PAYLOAD).await;
    ann.click("link", "Room details, 1 member").await;
    ann.click("link", "Edit room").await;
    ann.fill("Name", PAYLOAD).await;
    ann.fill("Topic optional", PAYLOAD).await;
    ann.click("button", "Save").await;
    shows_as_text(ann, ".bar-title").await;
    shows_as_text(ann, ".details").await;
    ann.reload().await;
    ann.holds(
        "the draft",
        &format!("document.querySelector('.composer textarea')?.value === {}", json!(PAYLOAD)),
    )
    .await;
    ann.click("button", "Delete room").await;
    shows_as_text(ann, "dialog[open]").await;
    ann.press("Escape").await;
}

async fn a_browser_may_call_itself_anything(stage: &Stage, ann: &Window) {
    let odd = stage.browser.window("an odd browser").await;
    odd.ask("Emulation.setUserAgentOverride", json!({"userAgent": "<img src=x onerror=hit()>"}))
        .await
        .unwrap();
    stage.sign_in_at(&odd, "ann", "/settings/security").await;
    shows_as_text(&odd, ".activity").await;
    ann.goto(&stage.system.url("/settings/sessions")).await;
    shows_as_text(ann, ".device").await;
    odd.close().await;
}

async fn hostile_addresses(stage: &Stage, ann: &Window) {
    let payload = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dhit()%3E";
    for path in [
        format!("/search?q={payload}"),
        format!("/rooms/{payload}"),
        format!("/{payload}"),
        format!("/?dialog={payload}"),
        format!("/?dialog=person&name={payload}"),
        format!("/login?next=javascript:hit()//{payload}"),
        format!("/login?next=//example.org/{payload}"),
        format!("/verify#token={payload}"),
        format!("/reset#token={payload}"),
    ] {
        ann.goto(&stage.system.url(&path)).await;
        ann.holds("a page", "document.querySelector('#app h1, #app h2') !== null").await;
        is_unharmed(ann).await;
        let host = format!("location.origin === {}", json!(stage.system.url("")));
        assert_eq!(ann.evaluate(&host).await, Ok(json!(true)), "{path} led away");
    }
}

/// Waits for the payload as text in something that the selector names.
async fn shows_as_text(window: &Window, selector: &str) {
    let script = format!(
        "[...document.querySelectorAll({})].some((one) => one.textContent.includes({}))",
        json!(selector),
        json!("<img src=x onerror=hit()>")
    );
    window.holds(&format!("{selector} to show the payload as text"), &script).await;
    is_unharmed(window).await;
}

async fn is_unharmed(window: &Window) {
    let elements = "document.querySelectorAll('img[src=x], [onerror], #app script').length";
    assert_eq!(window.evaluate(elements).await, Ok(json!(0)));
}
