//! Passkeys, with an authenticator that Chromium plays itself.

use serde_json::json;

use super::{people::Stage, window::Window};
use crate::support::PASSWORD;

/// A name like any other, and shown as one.
const HOSTILE: &str = "<img src=x onerror=hit()>";

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_in_alone_and_after_the_password() {
    let stage = Stage::start().await;
    let ann = stage.newcomer("ann", "/settings/security").await;
    let authenticator = ann.has_authenticator().await;

    // What comes in later moves the button.
    ann.finds("button", "Turn on").await;
    ann.reads(".activity", "Signed in").await;
    ann.click("button", "Add a passkey").await;
    ann.fill("Name", "Blue key").await;
    ann.press_enter().await;
    // The first second factor comes with the codes for the day on which it is lost.
    ann.finds("heading", "Keep these codes").await;
    ann.has_no_barrier("recovery codes").await;
    ann.click("button", "I kept them").await;
    ann.reads(".device", "Blue key").await;
    ann.has_no_barrier("a list of passkeys").await;
    ann.reads(".activity", "Passkey added").await;
    ann.click("button", "Rename Blue key").await;
    ann.fill("Name", HOSTILE).await;
    ann.press_enter().await;
    ann.reads(".device", HOSTILE).await;
    ann.click("button", &format!("Rename {HOSTILE}")).await;
    ann.fill("Name", "Green key").await;
    ann.press_enter().await;
    ann.reads(".device", "Green key").await;
    ann.holds("no such element", "document.querySelector('img[src=x]') === null").await;
    ann.click("button", "Sign out").await;

    // Alone, without a name.
    ann.goto(&stage.system.url("/login?next=/settings/security")).await;
    ann.click("button", "Sign in with a passkey").await;
    ann.reads(".device", "used just now").await;
    ann.click("button", "Sign out").await;

    // In place of a code; and refused where the authenticator does not know its user.
    ann.goto(&stage.system.url("/login?next=/settings/security")).await;
    ann.sign_in_by_form("ann", PASSWORD).await;
    ann.finds("heading", "Second factor").await;
    ann.knows_its_user(&authenticator, false).await;
    ann.click("button", "Use your passkey").await;
    ann.reads(".form-error", "No passkey was used.").await;
    ann.knows_its_user(&authenticator, true).await;
    ann.click("button", "Use your passkey").await;

    ann.click("button", "Delete Green key").await;
    ann.click_at("dialog[open] .is-danger").await;
    ann.sees("Passkey deleted").await;
    ann.holds("no passkey", "document.querySelector('.device') === null").await;
    ann.click("button", "Sign out").await;
    ann.goto(&stage.system.url("/login")).await;
    ann.click("button", "Sign in with a passkey").await;
    ann.holds("a refusal", "document.querySelector('.form-error') !== null").await;
}

impl Window {
    /// Plugs in an authenticator that knows its user and needs no touch.
    async fn has_authenticator(&self) -> String {
        self.ask("WebAuthn.enable", json!({})).await.unwrap();
        let options = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true, "automaticPresenceSimulation": true,
        });
        let added = self.ask("WebAuthn.addVirtualAuthenticator", json!({"options": options})).await.unwrap();
        added["authenticatorId"].as_str().unwrap().to_owned()
    }

    /// Whether the finger on it is the right one.
    async fn knows_its_user(&self, authenticator: &str, verified: bool) {
        let user = json!({"authenticatorId": authenticator, "isUserVerified": verified});
        self.ask("WebAuthn.setUserVerified", user).await.unwrap();
    }
}
