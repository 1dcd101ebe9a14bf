//! Every view of application and dashboard, one after the other: axe-core finds nothing against it, light and dark, on
//! desktop and phone. With `IRONGATE_SCREENSHOTS` set to a folder, each is also kept there as a picture (`./just
//! screenshots`); what Chromium says of long tasks and layout shifts is kept as a report.

use std::{env, fmt::Write as _, fs, path::Path};

use serde_json::json;

use super::{
    barriers::Rules,
    company::{ANN, Company},
    hands::Screen,
    people::Stage,
    report,
    window::Window,
};
use crate::support::Service;

/// Where a view is, what says that it is all there, and what is clicked to bring it about.
struct View {
    name: &'static str,
    path: String,
    shows: &'static str,
    click: Option<&'static str>,
}

fn view(name: &'static str, path: impl Into<String>, shows: &'static str) -> View {
    View { name, path: path.into(), shows, click: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_view_has_a_barrier() {
    let stage = Stage::start().await;
    let company = Company::gather(&stage).await;
    let mut tour = Tour::new(&stage);

    let visitor = stage.browser.window("visitor").await;
    for view in [
        view("welcome", "/", ".welcome"),
        view("sign-in", "/login", "form.card"),
        view("register", "/register", "form.card"),
        view("forgot", "/forgot", "form.card"),
        view("reset", "/reset#token=x", "form.card"),
        view("verify", "/verify#token=x", ".card h1"),
        view("dashboard-door", "/admin/", ".door form"),
    ] {
        tour.visit(&visitor, &view).await;
    }
    visitor.close().await;

    let ann = stage.browser.window("ann").await;
    stage.sign_in_at(&ann, "ann", "/").await;
    ann.sees("Pick a conversation").await;
    ann.looks_like(ANN).await;
    let at = |query: &str| format!("/rooms/{}{query}", company.harbour);
    for view in [
        view("list", "/", ".sidebar .badge"),
        view("room", at(""), ".message .reactions"),
        view("details", at("?details=1"), ".details .member"),
        view("invite", at("?dialog=invite"), "dialog[open] .picker-item"),
        view("edit-room", at("?dialog=edit-room"), "dialog[open] form"),
        view("person", at("?dialog=person&name=chloe"), "dialog[open] .person"),
        View { click: Some(".picture"), ..view("picture", at(""), "dialog[open] .enlarged img") },
        View {
            click: Some(".composer-tool[aria-label=Emoji]"),
            ..view("emoji", at(""), "dialog[open] .emoji-grid button")
        },
        view("direct", format!("/rooms/{}", company.direct), ".message .message-body"),
        view("outside", format!("/rooms/{}", company.charts), ".join-bar"),
        view("rooms", "/rooms", ".room-card"),
        view("new-room", "/?dialog=new-room", "dialog[open] form"),
        view("new-message", "/?dialog=new-message", "dialog[open] .picker-item"),
        view("jump", "/?dialog=jump", "dialog[open] .picker-item"),
        view("keys", "/?dialog=keys", "dialog[open] .keys"),
        view("search", "/search?q=crane", ".hit"),
        view("profile", "/settings/profile", ".settings-page form"),
        view("account", "/settings/account", ".settings-page form"),
        view("security", "/settings/security", ".activity li"),
        View {
            click: Some(".settings-section .is-primary"),
            ..view("second-factor", "/settings/security", "dialog[open] svg[role=img]")
        },
        view("sessions", "/settings/sessions", ".device"),
        view("notifications", "/settings/notifications", ".settings-page .choice"),
        view("appearance", "/settings/appearance", ".settings-page .choice"),
        view("settings", "/settings", ".settings-nav"),
        view("not-found", "/nowhere", ".face h1"),
    ] {
        tour.visit(&ann, &view).await;
    }
    ann.close().await;

    let root = stage.administrator().await;
    // A chart is drawn once there are two points to draw it between, and there is one every ten seconds.
    root.holds("a while of history", "document.querySelector('.legend b')?.innerText !== '–'").await;
    for view in [
        view("dashboard", "/admin/", ".server"),
        View { click: Some("button[aria-label^=Story]"), ..view("dashboard-story", "/admin/", ".story") },
        View {
            click: Some("button[aria-label^=Drain]"),
            ..view("dashboard-question", "/admin/", "dialog[open]")
        },
        View {
            click: Some("[aria-labelledby=configuration] button"),
            ..view("dashboard-configuration", "/admin/", "pre")
        },
    ] {
        tour.visit(&root, &view).await;
    }
    stage.system.pause(Service::User);
    stage.system.wait_for(Service::User, "down").await;
    for _ in 0..3 {
        stage.system.get("/user/rules").await.problem(503);
    }
    tour.visit(&root, &view("dashboard-trouble", "/admin/", ".verdict.is-down .troubles")).await;
    stage.system.resume(Service::User);
    tour.ends();
}

/// What comes over the wire until a visitor sees the welcome, and somebody signed in their room. The rest of the views
/// is loaded after that, in idle moments.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_view_is_light() {
    const MOST: f64 = 150_000.0;
    let stage = Stage::start().await;
    let ann = stage.system.newcomer("ann").await;
    let room = ann.create_room(&stage.system, "harbour").await;
    let (visitor, ann) = (stage.browser.window("visitor").await, stage.browser.window("ann").await);
    for window in [&visitor, &ann] {
        window.runs_first(MARK_FIRST_VIEW).await;
        // A build without optimization compresses by brotli at its weakest (`compress` in `static_files/site.rs`). gzip is
        // the same in every build, and larger than the brotli that users get.
        window.takes_encoding("gzip").await;
    }
    // The gateway compresses ahead of time, behind its first answers, and without optimization that takes it seconds.
    visitor.goto(&stage.system.url("/favicon.svg")).await;
    let is_compressed = "fetch('/').then((answer) => answer.headers.get('content-encoding') === 'gzip')";
    visitor.holds("a compressed page", is_compressed).await;
    visitor.goto(&stage.system.url("/")).await;
    stage.sign_in_at(&ann, "ann", &format!("/rooms/{room}")).await;

    for window in [&visitor, &ann] {
        window.holds("the first view", "window.firstView > 0").await;
        let sizes =
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .filter(({ startTime }) => startTime < firstView)
            .map((one) => [new URL(one.name).pathname, one.encodedBodySize])";
        let sizes = window.evaluate(sizes).await.unwrap();
        let files = sizes.as_array().unwrap();
        let sum: f64 = files.iter().filter_map(|size| size[1].as_f64()).sum();
        eprintln!("{}: {} files, {sum} bytes as they came over the wire", window.name, files.len());
        assert!(sum > 20_000.0 && sum < MOST, "{sizes}");
    }
}

const MARK_FIRST_VIEW: &str = "new MutationObserver(() => {
    if (!window.firstView && document.querySelector('.welcome, .composer')) window.firstView = performance.now();
  }).observe(document, { childList: true, subtree: true })";

struct Tour<'s> {
    stage: &'s Stage,
    pictures: Option<String>,
    barriers: Vec<String>,
    report: String,
}

impl<'s> Tour<'s> {
    fn new(stage: &'s Stage) -> Self {
        let pictures = env::var("IRONGATE_SCREENSHOTS").ok();
        Self { stage, pictures, barriers: Vec::new(), report: String::new() }
    }

    async fn visit(&mut self, window: &Window, view: &View) {
        // An address that differs behind the # alone would not be loaded.
        window.goto("about:blank").await;
        window.screen(Screen::Desktop).await;
        window.prefers("prefers-color-scheme", "light").await;
        window.goto(&self.stage.system.url(&view.path)).await;
        if let Some(selector) = view.click {
            window.click_at(selector).await;
        }
        let there = format!("document.querySelector({}) !== null", json!(view.shows));
        window.holds(&format!("the view {}", view.name), &there).await;
        writeln!(self.report, "{}: {}", view.name, window.effort().await).unwrap();
        for (screen, scheme, rules) in [
            (Screen::Desktop, "light", Rules::All),
            (Screen::Desktop, "dark", Rules::Contrast),
            (Screen::Phone, "dark", Rules::Contrast),
            (Screen::Phone, "light", Rules::All),
        ] {
            window.screen(screen).await;
            window.prefers("prefers-color-scheme", scheme).await;
            for barrier in window.barriers(rules).await {
                self.barriers.push(format!("{} ({scheme}, {screen:?}): {barrier}", view.name));
            }
            if let Some(folder) = &self.pictures {
                keep(window, folder, view.name, screen, scheme).await;
            }
        }
    }

    fn ends(self) {
        report::keep("views", &self.report);
        assert!(self.barriers.is_empty(), "axe-core found:\n{}", self.barriers.join("\n"));
    }
}

async fn keep(window: &Window, folder: &str, name: &str, screen: Screen, scheme: &str) {
    let screen = if matches!(screen, Screen::Phone) { "-phone" } else { "" };
    let scheme = if scheme == "dark" { "-dark" } else { "" };
    let picture = window.picture_of_the_page().await;
    fs::create_dir_all(folder).unwrap();
    fs::write(Path::new(folder).join(format!("{name}{screen}{scheme}.webp")), picture).unwrap();
}
