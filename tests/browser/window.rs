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
    name: String,
    events: Receiver<Value>,
}

impl Window {
    pub(super) async fn open(devtools: DevTools, session: &str, name: &str) -> Self {
        let events = devtools.events();
        let window = Self { devtools, session: session.to_owned(), name: name.to_owned(), events };
        for domain in ["Page", "Runtime", "Log", "DOM", "Accessibility"] {
            window.ask(&format!("{domain}.enable"), json!({})).await.unwrap();
        }
        window
    }

    pub(crate) async fn goto(&self, url: &str) {
        let gone = self.ask("Page.navigate", json!({"url": url})).await.unwrap();
        assert!(gone.get("errorText").is_none(), "{}: {url}: {}", self.name, gone["errorText"]);
    }

    /// Clicks, with the mouse, what has this role and accessible name.
    pub(crate) async fn click(&self, role: &str, name: &str) {
        self.until(&format!("to click {role} {name:?}"), || async {
            let Some(element) = self.find(role, name).await else { return false };
            self.click_on(element).await.is_ok()
        })
        .await;
    }

    /// Types `text` into the field with this label, in place of what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        self.until(&format!("to fill {label:?}"), || async {
            let mut field = None;
            for role in ["textbox", "searchbox", "combobox"] {
                field = field.or(self.find(role, label).await);
            }
            let Some(field) = field else { return false };
            let focused = self.ask("DOM.focus", json!({"backendNodeId": field})).await.is_ok();
            focused && self.evaluate("document.execCommand('selectAll')").await.is_ok()
        })
        .await;
        self.ask("Input.insertText", json!({"text": text})).await.unwrap();
    }

    pub(crate) async fn press_enter(&self) {
        let key = json!({"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"});
        for kind in ["keyDown", "keyUp"] {
            let mut event = key.clone();
            event["type"] = kind.into();
            self.ask("Input.dispatchKeyEvent", event).await.unwrap();
        }
    }

    /// Waits until `text` stands somewhere on the page.
    pub(crate) async fn sees(&self, text: &str) {
        self.until(&format!("to see {text:?}"), || async { self.text().await.contains(text) }).await;
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
    async fn text(&self) -> String {
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
    async fn find(&self, role: &str, name: &str) -> Option<u64> {
        let document = self.ask("DOM.getDocument", json!({"depth": 0})).await.ok()?;
        let query =
            json!({"backendNodeId": document["root"]["backendNodeId"], "role": role, "accessibleName": name});
        let found = self.ask("Accessibility.queryAXTree", query).await.ok()?;
        let nodes = found["nodes"].as_array()?;
        nodes.iter().find(|node| node["ignored"] == false)?["backendDOMNodeId"].as_u64()
    }

    async fn click_on(&self, element: u64) -> Result<(), String> {
        self.ask("DOM.scrollIntoViewIfNeeded", json!({"backendNodeId": element})).await?;
        let quads = self.ask("DOM.getContentQuads", json!({"backendNodeId": element})).await?;
        let corners: Vec<f64> =
            quads["quads"][0].as_array().ok_or("it has no area")?.iter().filter_map(Value::as_f64).collect();
        let [left, top, _, _, right, bottom, ..] = corners[..] else {
            return Err("it has no area".to_owned());
        };
        let (x, y) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        for (kind, buttons) in [("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)] {
            let event =
                json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Value, String> {
        self.devtools.ask(Some(&self.session), method, params).await
    }

    /// Tries until it works; shows what was on the screen when it never does.
    async fn until<F: Future<Output = bool>>(&self, what: &str, mut attempt: impl FnMut() -> F) {
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
