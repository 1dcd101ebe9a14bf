//! A headless Chromium of one test.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use super::{devtools::DevTools, window::Window};

pub(crate) struct Chromium {
    devtools: DevTools,
    process: Child,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::Builder::new().prefix("irongate-chromium-").tempdir().unwrap();
        // DevTools speaks on descriptors 3 and 4, which only a shell can lay there without unsafe code.
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#, "chromium"])
            .arg(program())
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--no-default-browser-check",
                "--window-size=1280,800",
                // The person has a mouse, whatever this machine has.
                "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
                // The authority is new with every test; that it is enough for trust is tested in `edge.rs`.
                "--ignore-certificate-errors",
                // Chromium refuses to run as root with its sandbox, and a container may not have user namespaces.
                "--no-sandbox",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to_browser, from_browser) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { devtools: DevTools::new(to_browser, from_browser), process, _profile: profile }
    }

    /// A window with cookies and storage of its own: another person, as far as any site can tell.
    pub(crate) async fn window(&self, name: &str) -> Window {
        let profile = self.devtools.ask(None, "Target.createBrowserContext", json!({})).await.unwrap();
        self.open(profile["browserContextId"].as_str().unwrap(), name).await
    }

    /// Another tab of the browser that `window` belongs to.
    pub(crate) async fn tab_beside(&self, window: &Window) -> Window {
        self.open(&window.profile, &format!("{} (second tab)", window.name)).await
    }

    /// What somebody answers when a site asks for a right.
    pub(crate) async fn grant(&self, window: &Window, permission: &str) {
        let grant = json!({"permissions": [permission], "browserContextId": window.profile});
        self.devtools.ask(None, "Browser.grantPermissions", grant).await.unwrap();
    }

    /// Where files go that are downloaded in `window`.
    pub(crate) async fn downloads(&self, window: &Window, folder: &Path) {
        let order = json!({"behavior": "allow", "browserContextId": window.profile, "downloadPath": folder});
        self.devtools.ask(None, "Browser.setDownloadBehavior", order).await.unwrap();
    }

    async fn open(&self, profile: &str, name: &str) -> Window {
        let target = json!({"url": "about:blank", "browserContextId": profile});
        let target = self.devtools.ask(None, "Target.createTarget", target).await.unwrap();
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.devtools.ask(None, "Target.attachToTarget", attach).await.unwrap();
        Window::open(self.devtools.clone(), profile, attached["sessionId"].as_str().unwrap(), name).await
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> PathBuf {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    const APPLICATIONS: [&str; 2] = [
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    on_path
        .chain(APPLICATIONS.map(PathBuf::from))
        .find(|program| program.exists())
        .expect("Chromium is not installed: `./just test` installs it (Debian: `apt-get install chromium`)")
}
