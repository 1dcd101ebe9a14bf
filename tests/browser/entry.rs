//! The way in: registration, sign-in with its second factor, a forgotten password, a link that waits for the sign-in.

use std::fs;

use irongate_test_servers::eventually;
use serde_json::json;

use super::{people::Stage, window::Window};
use crate::support::{LIMIT, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in() {
    let stage = Stage::start().await;
    let ann = stage.browser.window("ann").await;
    the_back_button_leads_through_the_forms(&stage, &ann).await;
    registration_says_while_typing_what_is_wrong(&stage, &ann).await;
    the_server_has_the_last_word_on_a_registration(&stage).await;
    signing_out_leads_to_the_door_and_back_in(&stage, &ann).await;
    a_deep_link_survives_the_sign_in(&stage, &ann).await;
    a_forgotten_password_is_replaced_by_mail(&stage).await;
    the_second_factor_is_asked_for(&stage, &ann).await;
}

async fn the_back_button_leads_through_the_forms(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/")).await;
    ann.click("link", "Sign in").await;
    ann.click("link", "Forgot your password?").await;
    ann.finds("heading", "Reset your password").await;

    ann.back().await;
    ann.finds("heading", "Sign in").await;
    ann.back().await;
    ann.is_at("/").await;
}

async fn registration_says_while_typing_what_is_wrong(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/register")).await;
    ann.fill("Username", "Not a name!").await;
    ann.press("Tab").await;
    ann.sees("Only small letters, digits").await;
    ann.fill("Username", "ann").await;
    ann.lacks("Only small letters, digits").await;

    ann.fill("E-mail", "nowhere").await;
    ann.press("Tab").await;
    ann.sees("This does not look like an e-mail address.").await;
    ann.fill("E-mail", "ann@example.org").await;
    ann.lacks("This does not look like").await;

    ann.fill("Password", "short").await;
    ann.sees("3 more to go.").await;
    ann.press("Tab").await;
    ann.sees("At least 8 characters.").await;
    ann.fill("Password", PASSWORD).await;
    ann.lacks("At least 8 characters.").await;
    ann.press_enter().await;
    ann.sees("Welcome to Irongate").await;
}

async fn the_server_has_the_last_word_on_a_registration(stage: &Stage) {
    let eve = stage.browser.window("eve").await;
    eve.goto(&stage.system.url("/register")).await;
    eve.fill("Username", "ann").await;
    eve.fill("E-mail", "eve@example.org").await;
    eve.fill("Password", "password1").await;
    eve.press_enter().await;

    eve.reads(".field-error", "").await;
    eve.holds("the field to be marked", "document.querySelector('[aria-invalid=true]') !== null").await;
    eve.has_no_barrier("a refused registration").await;
    eve.close().await;
}

async fn signing_out_leads_to_the_door_and_back_in(stage: &Stage, ann: &Window) {
    ann.click("link", "Settings").await;
    ann.click("button", "Sign out").await;
    ann.finds("link", "Create an account").await;
    ann.goto(&stage.system.url("/login")).await;
    ann.sign_in_by_form("ann", PASSWORD).await;
    ann.sees("Welcome to Irongate").await;
}

async fn a_deep_link_survives_the_sign_in(stage: &Stage, ann: &Window) {
    ann.open_room("harbour").await;
    let path = format!("/rooms/{}?details=1", ann.room_id().await);
    let elsewhere = stage.browser.window("ann elsewhere").await;
    elsewhere.goto(&stage.system.url(&path)).await;
    elsewhere.sees("Sign in to go on to the page you asked for.").await;
    // By a detour to the other form, too.
    elsewhere.click("link", "Create an account").await;
    elsewhere.click("link", "Sign in").await;
    elsewhere.finds("heading", "Sign in").await;
    elsewhere.sign_in_by_form("ann", PASSWORD).await;

    elsewhere.is_at(&path).await;
    elsewhere.finds("complementary", "Room details").await;
    elsewhere.close().await;
}

async fn a_forgotten_password_is_replaced_by_mail(stage: &Stage) {
    const NEW: &str = "a quite different sentence";
    stage.system.newcomer("bob").await;
    let bob = stage.browser.window("bob").await;
    bob.goto(&stage.system.url("/forgot")).await;
    bob.fill("E-mail", "bob@example.org").await;
    bob.press_enter().await;
    bob.finds("heading", "Look into your mail").await;

    bob.goto(&mailed_link(stage, "bob@example.org", "/reset#token=").await).await;
    bob.fill("New password", NEW).await;
    bob.press_enter().await;
    bob.finds("heading", "Your password is changed").await;
    bob.is_at("/reset").await;
    bob.click("link", "Sign in").await;
    bob.sign_in_by_form("bob", PASSWORD).await;
    bob.finds("alert", "").await;
    bob.sign_in_by_form("bob", NEW).await;
    bob.sees("Welcome to Irongate").await;
    bob.close().await;
}

async fn the_second_factor_is_asked_for(stage: &Stage, ann: &Window) {
    ann.goto(&stage.system.url("/settings/security")).await;
    ann.click("button", "Turn on").await;
    ann.holds("the secret", "document.querySelector('.secret') !== null").await;
    let secret =
        ann.evaluate("document.querySelector('.secret').innerText.replaceAll(/\\s/g, '')").await.unwrap();
    let secret = secret.as_str().unwrap().to_owned();
    ann.fill("Code", &totp(ann, &secret, 0).await).await;
    ann.press_enter().await;
    ann.finds("heading", "Keep these codes").await;
    let recovery = ann.evaluate("document.querySelector('.codes li').innerText").await.unwrap();
    ann.click("button", "I kept them").await;
    ann.sees("10 recovery codes are left").await;
    ann.click("button", "Sign out").await;

    ann.goto(&stage.system.url("/login")).await;
    ann.sign_in_by_form("ann", PASSWORD).await;
    ann.finds("heading", "Second factor").await;
    ann.fill("Code", "000000").await;
    ann.press_enter().await;
    ann.holds("a refusal", "document.querySelector('.form-error') !== null").await;
    ann.has_no_barrier("a refused code").await;
    ann.back().await;
    ann.finds("heading", "Sign in").await;
    ann.is_at("/login").await;
    ann.sign_in_by_form("ann", PASSWORD).await;
    // A code works once, so the one after that which turned it on.
    ann.fill("Code", &totp(ann, &secret, 1).await).await;
    ann.press_enter().await;
    ann.finds("link", "Settings").await;
    ann.click("link", "Settings").await;
    ann.click("button", "Sign out").await;

    ann.goto(&stage.system.url("/login")).await;
    ann.sign_in_by_form("ann", PASSWORD).await;
    ann.click("button", "Use a recovery code").await;
    ann.fill("Recovery code", recovery.as_str().unwrap()).await;
    ann.press_enter().await;
    ann.finds("link", "Settings").await;
}

/// The link of the newest mail to `address` whose path begins like this.
async fn mailed_link(stage: &Stage, address: &str, path: &str) -> String {
    let start = stage.system.url(path);
    let find = || {
        let files = fs::read_dir(stage.system.setup.path("outbox")).ok()?;
        let mails = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
        let mail = mails.filter(|mail| mail.contains(address)).find(|mail| mail.contains(path))?;
        let token = mail.split(path).nth(1)?.split_whitespace().next()?.to_owned();
        Some(format!("{start}{token}"))
    };
    eventually(&format!("a mail to {address} with {path}"), LIMIT, || async { find().is_some() }).await;
    find().unwrap()
}

/// The six digits that an authenticator app shows (RFC 6238), `steps` half minutes from now.
async fn totp(window: &Window, secret: &str, steps: u32) -> String {
    let script = format!(
        "(async () => {{
           const bits = [...{}].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
           const key = Uint8Array.from(bits.match(/.{{8}}/g), (byte) => parseInt(byte, 2));
           const step = new DataView(new ArrayBuffer(8));
           step.setBigUint64(0, BigInt(Math.floor(Date.now() / 30000) + {steps}));
           const hmac = await crypto.subtle.importKey('raw', key, {{ name: 'HMAC', hash: 'SHA-1' }}, false, ['sign']);
           const mac = new DataView(await crypto.subtle.sign('HMAC', hmac, step));
           const number = (mac.getUint32(mac.getUint8(19) & 15) & 0x7fffffff) % 1000000;
           return String(number).padStart(6, '0');
         }})()",
        json!(secret)
    );
    window.evaluate(&script).await.unwrap().as_str().unwrap().to_owned()
}
