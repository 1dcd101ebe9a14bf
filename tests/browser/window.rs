//! One window, and what a person does in it.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::devtools::DevTools;
use crate::support::LIMIT;

pub(crate) struct Window {
    devtools: DevTools,
    session: String,
    /// Whose cookies and storage it has: windows of one profile are tabs of one browser.
    pub(super) profile: String,
    pub(super) name: String,
    events: Receiver<Value>,
}

impl Window {
    pub(super) async fn open(devtools: DevTools, profile: &str, session: &str, name: &str) -> Self {
        let events = devtools.events();
        let (session, profile) = (session.to_owned(), profile.to_owned());
        let window = Self { devtools, session, profile, name: name.to_owned(), events };
        for domain in ["Page", "Runtime", "Log", "DOM", "Accessibility"] {
            window.ask(&format!("{domain}.enable"), json!({})).await.unwrap();
        }
        window.is_looked_at(true).await;
        window
    }

    /// Whether the page has somebody's eyes: only one window of a real screen has, and all of them here unless told.
    pub(crate) async fn is_looked_at(&self, enabled: bool) {
        self.ask("Emulation.setFocusEmulationEnabled", json!({"enabled": enabled})).await.unwrap();
    }

    /// Closes the window, as its cross does.
    pub(crate) async fn close(self) {
        // The page goes away under the question, so there need not be an answer.
        let _ = self.ask("Page.close", json!({})).await;
    }

    /// Has a script run in every page from now on, before those of the page itself.
    pub(crate) async fn runs_first(&self, script: &str) {
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await.unwrap();
    }

    /// The only compressed form that it asks for.
    pub(super) async fn takes_encoding(&self, encoding: &str) {
        self.ask("Network.enable", json!({})).await.unwrap();
        let headers = json!({"headers": {"accept-encoding": encoding}});
        self.ask("Network.setExtraHTTPHeaders", headers).await.unwrap();
    }

    pub(crate) async fn goto(&self, url: &str) {
        let gone = self.ask("Page.navigate", json!({"url": url})).await.unwrap();
        assert!(gone.get("errorText").is_none(), "{}: {url}: {}", self.name, gone["errorText"]);
    }

    /// Waits until `text` stands somewhere on the page.
    pub(crate) async fn sees(&self, text: &str) {
        self.until(&format!("to see {text:?}"), || async { self.text().await.contains(text) }).await;
    }

    /// Waits until `text` stands nowhere on the page.
    pub(crate) async fn lacks(&self, text: &str) {
        self.until(&format!("not to see {text:?}"), || async { !self.text().await.contains(text) }).await;
    }

    /// Waits until nothing with this role and accessible name is there.
    pub(crate) async fn loses(&self, role: &str, name: &str) {
        self.until(&format!("no {role} {name:?}"), || async { self.find(role, name).await.is_none() }).await;
    }

    /// Waits until a script's value is true.
    pub(crate) async fn holds(&self, what: &str, script: &str) {
        self.until(what, || async { self.evaluate(script).await == Ok(Value::Bool(true)) }).await;
    }

    /// Waits until the address has this path and query.
    pub(crate) async fn is_at(&self, path: &str) {
        let expected = json!(path);
        self.holds(
            &format!("to be at {path}"),
            &format!("location.pathname + location.search === {expected}"),
        )
        .await;
    }

    /// Waits until something that a CSS selector names says `text`.
    pub(crate) async fn reads(&self, selector: &str, text: &str) {
        let script = format!(
            "[...document.querySelectorAll({})].some((one) => one.innerText.includes({}))",
            json!(selector),
            json!(text)
        );
        self.holds(&format!("{selector} to say {text:?}"), &script).await;
    }

    /// Waits until something with this role and accessible name is there.
    pub(crate) async fn finds(&self, role: &str, name: &str) {
        self.until(&format!("{role} {name:?}"), || async { self.find(role, name).await.is_some() }).await;
    }

    /// What scripts and network have complained about since the last time this was asked.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let mut complaints = Vec::new();
        loop {
            match self.events.try_recv() {
                Ok(event) if event["sessionId"] == self.session => complaints.extend(complaint(&event)),
                Ok(_) => {}
                Err(TryRecvError::Lagged(missed)) => complaints.push(format!("{missed} events were missed")),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return complaints,
            }
        }
    }

    /// The page as text, as far as it can be seen.
    pub(crate) async fn text(&self) -> String {
        let text = self.evaluate("document.body?.innerText ?? ''").await;
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Runs a script in the page and gives its (awaited) value.
    pub(crate) async fn evaluate(&self, script: &str) -> Result<Value, String> {
        let params =
            json!({"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let done = self.ask("Runtime.evaluate", params).await?;
        match done.get("exceptionDetails") {
            Some(thrown) => Err(format!("{script}: {thrown}")),
            None => Ok(done["result"]["value"].clone()),
        }
    }

    /// The element that assistive technology knows by this role and name. A page that changes right now has none.
    pub(super) async fn find(&self, role: &str, name: &str) -> Option<u64> {
        let document = self.ask("DOM.getDocument", json!({"depth": 0})).await.ok()?;
        let query =
            json!({"backendNodeId": document["root"]["backendNodeId"], "role": role, "accessibleName": name});
        let found = self.ask("Accessibility.queryAXTree", query).await.ok()?;
        let nodes = found["nodes"].as_array()?;
        nodes.iter().find(|node| node["ignored"] == false)?["backendDOMNodeId"].as_u64()
    }

    pub(super) async fn ask(&self, method: &str, params: Value) -> Result<Value, String> {
        self.devtools.ask(Some(&self.session), method, params).await
    }

    /// Tries until it works; shows what was on the screen when it never does.
    pub(super) async fn until<F: Future<Output = bool>>(&self, what: &str, mut attempt: impl FnMut() -> F) {
        let start = Instant::now();
        while !attempt().await {
            if start.elapsed() > LIMIT {
                let picture = self.picture().await;
                panic!(
                    "{} waited in vain {what}\n{}\n--- on the screen ---\n{}",
                    self.name,
                    picture,
                    self.text().await
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is on the screen, as WebP, without the scroll bars that only some systems show.
    pub(crate) async fn picture_of_the_page(&self) -> Vec<u8> {
        self.ask("Emulation.setScrollbarsHidden", json!({"hidden": true})).await.unwrap();
        let drawn = "new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))";
        self.evaluate(drawn).await.unwrap();
        let form = json!({"format": "webp", "quality": 80});
        let picture = self.ask("Page.captureScreenshot", form).await.unwrap();
        BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// Keeps a screenshot and says where.
    pub(crate) async fn picture(&self) -> String {
        let Ok(picture) = self.ask("Page.captureScreenshot", json!({"format": "png"})).await else {
            return "no screenshot could be taken".to_owned();
        };
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap_or_default()).unwrap_or_default();
        let file = format!("{}-{}.png", self.name, std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
        match std::fs::write(&path, bytes) {
            Ok(()) => format!("screenshot: {}", path.display()),
            Err(why) => format!("the screenshot could not be kept: {why}"),
        }
    }
}

/// What an event says went wrong, if anything.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if params["type"] == "error" => Some(params["args"].to_string()),
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            let entry = &params["entry"];
            Some(format!("{} ({})", entry["text"], entry["url"]))
        }
        _ => None,
    }
}
