//! What Chromium says of its own work, kept beside the build for whoever wants to read it: a report, not a limit.

use std::{fs, path::PathBuf};

use super::window::Window;

/// Keeps a report as `target/tmp/browser-NAME.txt`.
pub(super) fn keep(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{name}.txt"));
    fs::write(&file, text).unwrap();
    eprintln!("{}:\n{text}", file.display());
}

impl Window {
    /// Long tasks (over 50 ms) and layout shifts since the page was asked for, in a line.
    pub(super) async fn effort(&self) -> String {
        self.evaluate(EFFORT).await.unwrap().as_str().unwrap().to_owned()
    }
}

const EFFORT: &str = "new Promise((done) => {
    const seen = { long: 0, longest: 0, shift: 0 };
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => { seen.long += 1; seen.longest = Math.max(seen.longest, duration); })).observe({ type: 'longtask', buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => { seen.shift += value; })).observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => done(`${seen.long} long tasks, the longest ${Math.round(seen.longest)} ms; layout shift ${seen.shift.toFixed(4)}`), 50);
  })";
