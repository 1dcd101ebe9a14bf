//! What a person does in a window: mouse, keyboard, files, and how they have set up their screen.

use std::path::Path;

use serde_json::{Value, json};

use super::window::Window;

/// The size of a page, in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Screen {
    Desktop,
    Phone,
    Wide,
}

impl Window {
    /// Clicks, with the mouse, what has this role and accessible name.
    pub(crate) async fn click(&self, role: &str, name: &str) {
        self.until(&format!("to click {role} {name:?}"), || async {
            let Some(element) = self.find(role, name).await else { return false };
            self.click_on(element).await.is_ok()
        })
        .await;
    }

    /// Clicks the first thing that a CSS selector names: for what has no name of its own.
    pub(crate) async fn click_at(&self, selector: &str) {
        self.until(&format!("to click {selector}"), || async {
            let Some(element) = self.element(selector).await else { return false };
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
        self.types(text).await;
    }

    /// Types where the caret is.
    pub(crate) async fn types(&self, text: &str) {
        self.ask("Input.insertText", json!({"text": text})).await.unwrap();
    }

    pub(crate) async fn press_enter(&self) {
        self.press("Enter").await;
    }

    /// Presses a key, by its name in `KeyboardEvent.key`, with modifiers before it: `Control+k`.
    pub(crate) async fn press(&self, keys: &str) {
        let (modifiers, key) = keys.rsplit_once('+').filter(|(_, key)| !key.is_empty()).unwrap_or(("", keys));
        let bits = modifiers.split('+').map(|name| match name {
            "Alt" => 1,
            "Control" => 2,
            "Shift" => 8,
            _ => 0,
        });
        let text = match key {
            "Enter" => Some("\r"),
            _ if key.chars().count() == 1 && modifiers.is_empty() => Some(key),
            _ => None,
        };
        let mut event = json!({
            "key": key, "code": key, "modifiers": bits.sum::<i32>(), "windowsVirtualKeyCode": virtual_code(key),
        });
        if let Some(text) = text {
            event["text"] = text.into();
        }
        for kind in ["keyDown", "keyUp"] {
            event["type"] = kind.into();
            self.ask("Input.dispatchKeyEvent", event.clone()).await.unwrap();
        }
    }

    /// Moves the mouse over the message that says `text`, so that its tools are there.
    pub(crate) async fn point_at_message(&self, text: &str) {
        self.until(&format!("to point at the message {text:?}"), || async {
            let script = format!(
                "(() => {{ const row = [...document.querySelectorAll('.message')].find((one) => one.innerText.includes({}));
                   if (!row) return null;
                   row.scrollIntoView({{ block: 'nearest' }});
                   const {{ left, top, width, height }} = row.getBoundingClientRect();
                   return [left + width / 2, top + height / 2]; }})()",
                json!(text)
            );
            let Ok(place) = self.evaluate(&script).await else { return false };
            let (Some(x), Some(y)) = (place[0].as_f64(), place[1].as_f64()) else { return false };
            self.mouse("mouseMoved", x, y, 0).await.is_ok()
        })
        .await;
    }

    /// Does with a message what a button of its tools says.
    pub(crate) async fn act_on_message(&self, text: &str, button: &str) {
        self.until(&format!("to {button:?} the message {text:?}"), || async {
            self.point_at_message(text).await;
            let Some(element) = self.find("button", button).await else { return false };
            self.click_on(element).await.is_ok()
        })
        .await;
    }

    /// Hands files to the file field that a CSS selector names.
    pub(crate) async fn choose_file(&self, selector: &str, file: &Path) {
        self.until(&format!("a file field {selector}"), || async { self.element(selector).await.is_some() })
            .await;
        let field = self.element(selector).await;
        let files = json!({"files": [file], "backendNodeId": field});
        self.ask("DOM.setFileInputFiles", files).await.unwrap();
    }

    /// The back button of the browser.
    pub(crate) async fn back(&self) {
        self.evaluate("history.back()").await.unwrap();
    }

    pub(crate) async fn reload(&self) {
        self.ask("Page.reload", json!({})).await.unwrap();
    }

    pub(crate) async fn screen(&self, screen: Screen) {
        let (width, height) = match screen {
            Screen::Desktop => (1280, 800),
            Screen::Phone => (390, 844),
            Screen::Wide => (2560, 1300),
        };
        let mobile = matches!(screen, Screen::Phone);
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.ask("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// What the system prefers: `prefers-color-scheme`, `prefers-reduced-motion`.
    pub(crate) async fn prefers(&self, feature: &str, value: &str) {
        let features = json!({"features": [{"name": feature, "value": value}]});
        self.ask("Emulation.setEmulatedMedia", features).await.unwrap();
    }

    async fn element(&self, selector: &str) -> Option<u64> {
        let found = self.ask(
            "Runtime.evaluate",
            json!({"expression": format!("document.querySelector({})", json!(selector))}),
        );
        let object = found.await.ok()?["result"]["objectId"].as_str()?.to_owned();
        let node = self.ask("DOM.describeNode", json!({"objectId": object})).await.ok()?;
        node["node"]["backendNodeId"].as_u64()
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
            self.mouse(kind, x, y, buttons).await?;
        }
        Ok(())
    }

    pub(super) async fn mouse(&self, kind: &str, x: f64, y: f64, buttons: u32) -> Result<(), String> {
        let button = if kind == "mouseMoved" && buttons == 0 { "none" } else { "left" };
        let clicks = u32::from(kind != "mouseMoved");
        let event =
            json!({"type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": clicks});
        self.ask("Input.dispatchMouseEvent", event).await.map(|_| ())
    }
}

/// What old interfaces call the key; Chromium does what a key does (move the focus, say) by this alone.
fn virtual_code(key: &str) -> u32 {
    match key {
        "Tab" => 9,
        "Enter" => 13,
        "Escape" => 27,
        "ArrowLeft" => 37,
        "ArrowUp" => 38,
        "ArrowRight" => 39,
        "ArrowDown" => 40,
        "Delete" => 46,
        _ => key.chars().next().map_or(0, |letter| u32::from(letter.to_ascii_uppercase())),
    }
}
