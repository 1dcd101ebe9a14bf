//! axe-core on whatever a window shows: what would keep somebody out who sees, hears or moves differently.

use std::{fs, path::Path, process::Command, sync::OnceLock};

use serde_json::json;

use super::window::Window;

#[derive(Clone, Copy)]
pub(super) enum Rules {
    All,
    /// What stands where is the same in the dark; what can be read there may not be.
    Contrast,
}

impl Window {
    /// What axe-core has against the page as it stands, once nothing moves in it.
    pub(super) async fn barriers(&self, rules: Rules) -> Vec<String> {
        if self.evaluate("typeof axe").await == Ok(json!("undefined")) {
            self.evaluate(axe()).await.unwrap();
        }
        let rules = match rules {
            Rules::All => "{ resultTypes: ['violations'] }",
            Rules::Contrast => "{ resultTypes: ['violations'], runOnly: ['color-contrast'] }",
        };
        let script = format!("{SETTLED}.then(() => axe.run(document, {rules})).then({BARRIERS})");
        let found = self.evaluate(&script).await.unwrap();
        found.as_array().unwrap().iter().map(|barrier| barrier.as_str().unwrap().to_owned()).collect()
    }

    /// Fails if there is one, light or dark. `what` names what is on the screen.
    pub(super) async fn has_no_barrier(&self, what: &str) {
        let mut barriers = self.barriers(Rules::All).await;
        self.prefers("prefers-color-scheme", "dark").await;
        barriers.extend(self.barriers(Rules::Contrast).await);
        self.prefers("prefers-color-scheme", "light").await;
        assert!(barriers.is_empty(), "axe-core against {what}:\n{}", barriers.join("\n"));
    }
}

fn axe() -> &'static str {
    static AXE: OnceLock<String> = OnceLock::new();
    AXE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = Command::new(root.join("tests/frontend/install")).status().unwrap();
        assert!(installed.success(), "tests/frontend/install failed");
        fs::read_to_string(root.join("target/tools/frontend/node_modules/axe-core/axe.min.js")).unwrap()
    })
}

/// After the colours have changed and the transitions are over.
const SETTLED: &str = "new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))
    .then(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))))";
const BARRIERS: &str = "(({ violations }) => violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.slice(0, 4).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`).join(' | ')}`))";
