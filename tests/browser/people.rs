//! What people do in the application, in the words of a product person.

use serde_json::{Value, json};

use super::{chromium::Chromium, window::Window};
use crate::support::{Backend, PASSWORD, Setup, System};

/// A running system with a browser in front of it.
pub(super) struct Stage {
    // Before the system: a browser with open sockets would keep it waiting at its end.
    pub(super) browser: Chromium,
    pub(super) system: System,
}

impl Stage {
    pub(super) async fn start() -> Self {
        Self::over(Setup::new(Backend::Embedded)).await
    }

    pub(super) async fn over(setup: Setup) -> Self {
        Self { system: System::start_over(setup).await, browser: Chromium::start() }
    }

    /// A window of somebody who has just registered by the API, at `path`. For what is no test of the way in.
    pub(super) async fn newcomer(&self, name: &str, path: &str) -> Window {
        self.system.newcomer(name).await;
        let window = self.browser.window(name).await;
        self.sign_in_at(&window, name, path).await;
        window
    }

    /// Signs in without the form, which costs seconds, and opens `path`.
    pub(super) async fn sign_in_at(&self, window: &Window, name: &str, path: &str) {
        window.goto(&self.system.url("/favicon.svg")).await;
        let login = json!({"username": name, "password": PASSWORD}).to_string();
        let script = format!(
            "fetch('/auth/login', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: {} }})
               .then((answer) => {{ localStorage.setItem('irongate.signed-in', '1'); return answer.status; }})",
            json!(login)
        );
        assert_eq!(window.evaluate(&script).await, Ok(Value::from(200)));
        window.goto(&self.system.url(path)).await;
    }

    /// Registers somebody by the form.
    pub(super) async fn register(&self, window: &Window, name: &str) {
        window.goto(&self.system.url("/")).await;
        window.click("link", "Create an account").await;
        window.fill("Username", name).await;
        window.fill("E-mail", &format!("{name}@example.org")).await;
        window.fill("Password", PASSWORD).await;
        window.click("button", "Create account").await;
        window.sees("Welcome to Irongate").await;
    }

    /// An administrator, signed in on the main port.
    pub(super) async fn administrator(&self) -> Window {
        assert!(self.system.setup.create_admin("root", PASSWORD).status.success());
        let window = self.browser.window("root").await;
        self.sign_in_at(&window, "root", "/admin/").await;
        window
    }
}

impl Window {
    pub(super) async fn sign_in_by_form(&self, name: &str, password: &str) {
        self.fill("Username or e-mail", name).await;
        self.fill("Password", password).await;
        self.press_enter().await;
    }

    pub(super) async fn open_room(&self, name: &str) {
        self.click("link", "New room").await;
        self.fill("Name", name).await;
        self.click("button", "Create room").await;
        self.finds("textbox", &format!("Message {name}")).await;
    }

    /// Sends a message and waits until the server has it.
    pub(super) async fn say(&self, room: &str, text: &str) {
        self.fill(&format!("Message {room}"), text).await;
        self.press_enter().await;
        self.hears(text).await;
    }

    /// Waits until a message that the server has says `text`.
    pub(super) async fn hears(&self, text: &str) {
        self.reads(".message[data-seq]", text).await;
    }

    /// The texts of the messages in front of this person, from the first to the last.
    pub(super) async fn conversation(&self) -> Vec<String> {
        let bodies = "[...document.querySelectorAll('.message .message-body')].map((one) => one.innerText)";
        let bodies = self.evaluate(bodies).await.unwrap();
        bodies.as_array().unwrap().iter().map(|body| body.as_str().unwrap().to_owned()).collect()
    }

    /// The room that the address names.
    pub(super) async fn room_id(&self) -> String {
        let id = self.evaluate("location.pathname.split('/')[2]").await.unwrap();
        id.as_str().unwrap().to_owned()
    }

    /// Waits until the list at the side shows `name` with a badge of this text; empty: without one.
    pub(super) async fn has_badge(&self, name: &str, badge: &str) {
        let script = format!(
            "[...document.querySelectorAll('.sidebar .side-link')].some((link) => \
               link.querySelector('.side-name')?.innerText === {} && (link.querySelector('.badge')?.textContent.trim() ?? '') === {})",
            json!(name),
            json!(badge)
        );
        self.holds(&format!("{name} to have the badge {badge:?}"), &script).await;
    }

    /// Nothing on the page is meant to frighten: no alert, no message of failure.
    pub(super) async fn is_calm(&self) {
        let scares = "[...document.querySelectorAll('[role=alert], .notice.is-failed, .not-sent')].map((one) => one.innerText)";
        assert_eq!(self.evaluate(scares).await, Ok(json!([])));
    }
}
