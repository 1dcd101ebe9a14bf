//! Every view of application and dashboard, one after the other: axe-core finds nothing against it, light and dark, on
//! desktop and phone. With `IRONGATE_SCREENSHOTS` set to a folder, each is also kept there as a picture (`./just
//! screenshots`); what Chromium says of long tasks and layout shifts is printed as a report.

use std::{env, fs, path::Path, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use super::{hands::Screen, people::Stage, window::Window};
use crate::support::{Chat, Person, System};

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
    let tour = Tour::new();
    let (room, _present) = a_lively_company(&stage.system).await;

    let visitor = stage.browser.window("visitor").await;
    tour.visit(
        &visitor,
        &stage,
        &[
            view("welcome", "/", ".welcome"),
            view("sign-in", "/login", "form.card"),
            view("register", "/register", "form.card"),
            view("forgot", "/forgot", "form.card"),
            view("reset", "/reset#token=x", "form.card"),
            view("verify", "/verify#token=x", ".card h1"),
            view("dashboard-door", "/admin/", ".door form"),
        ],
    )
    .await;
    visitor.close().await;

    let ann = stage.browser.window("ann").await;
    stage.sign_in_at(&ann, "ann", "/").await;
    let at = |query: &str| format!("/rooms/{room}{query}");
    tour.visit(
        &ann,
        &stage,
        &[
            view("list", "/", ".sidebar .badge"),
            view("room", at(""), ".message .reactions"),
            view("details", at("?details=1"), ".details .member"),
            view("invite", at("?dialog=invite"), "dialog[open] .picker"),
            view("edit-room", at("?dialog=edit-room"), "dialog[open] form"),
            view("person", at("?dialog=person&name=bob"), "dialog[open] .person"),
            View {
                click: Some(".composer-tool[aria-label=Emoji]"),
                ..view("emoji", at(""), "dialog[open] .emoji-grid button")
            },
            view("rooms", "/rooms", ".room-card"),
            view("new-room", "/?dialog=new-room", "dialog[open] form"),
            view("new-message", "/?dialog=new-message", "dialog[open] .picker-item"),
            view("jump", "/?dialog=jump", "dialog[open] .picker-item"),
            view("keys", "/?dialog=keys", "dialog[open] .keys"),
            view("search", "/search?q=tide", ".hit"),
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
        ],
    )
    .await;
    ann.close().await;

    let root = stage.administrator().await;
    tour.visit(
        &root,
        &stage,
        &[
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
        ],
    )
    .await;
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
    }
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

struct Tour {
    axe: String,
    pictures: Option<String>,
}

impl Tour {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = Command::new(root.join("tests/frontend/install")).status().unwrap();
        assert!(installed.success(), "tests/frontend/install failed");
        let axe =
            fs::read_to_string(root.join("target/tools/frontend/node_modules/axe-core/axe.min.js")).unwrap();
        Self { axe, pictures: env::var("IRONGATE_SCREENSHOTS").ok() }
    }

    async fn visit(&self, window: &Window, stage: &Stage, views: &[View]) {
        let mut barriers = Vec::new();
        for view in views {
            // An address that differs behind the # alone would not be loaded.
            window.goto("about:blank").await;
            window.screen(Screen::Desktop).await;
            window.prefers("prefers-color-scheme", "light").await;
            window.goto(&stage.system.url(&view.path)).await;
            if let Some(selector) = view.click {
                window.click_at(selector).await;
            }
            let there = format!("document.querySelector({}) !== null", json!(view.shows));
            window.holds(&format!("the view {}", view.name), &there).await;
            window.evaluate(&self.axe).await.unwrap();
            eprintln!("{}: {}", view.name, window.evaluate(REPORT).await.unwrap());
            // What stands where is the same in the dark; what can be read there may not be.
            for (screen, scheme, rules) in [
                (Screen::Desktop, "light", ALL),
                (Screen::Desktop, "dark", CONTRAST),
                (Screen::Phone, "dark", CONTRAST),
                (Screen::Phone, "light", ALL),
            ] {
                window.screen(screen).await;
                window.prefers("prefers-color-scheme", scheme).await;
                let found = window
                    .evaluate(&format!("{SETTLED}.then(() => axe.run(document, {rules})).then({BARRIERS})"))
                    .await
                    .unwrap();
                for barrier in found.as_array().unwrap() {
                    barriers.push(format!("{} ({scheme}, {screen:?}): {barrier}", view.name));
                }
                if let Some(folder) = &self.pictures {
                    self.keep(window, folder, view.name, screen, scheme).await;
                }
            }
        }
        assert!(barriers.is_empty(), "axe-core found:\n{}", barriers.join("\n"));
    }

    async fn keep(&self, window: &Window, folder: &str, name: &str, screen: Screen, scheme: &str) {
        let screen = if matches!(screen, Screen::Phone) { "-phone" } else { "" };
        let scheme = if scheme == "dark" { "-dark" } else { "" };
        let picture = window.picture_of_the_page().await;
        fs::create_dir_all(folder).unwrap();
        fs::write(Path::new(folder).join(format!("{name}{screen}{scheme}.webp")), picture).unwrap();
    }
}

const ALL: &str = "{ resultTypes: ['violations'] }";
const CONTRAST: &str = "{ resultTypes: ['violations'], runOnly: ['color-contrast'] }";
/// After the colours have changed and the transitions are over.
const SETTLED: &str = "new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)))
    .then(() => Promise.all(document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))))";
const BARRIERS: &str = "(({ violations }) => violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.slice(0, 4).map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`).join(' | ')}`))";
/// Long tasks (over 50 ms) and layout shifts since the page was asked for.
const REPORT: &str = "new Promise((done) => {
    const seen = { long: 0, longest: 0, shift: 0 };
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => { seen.long += 1; seen.longest = Math.max(seen.longest, duration); })).observe({ type: 'longtask', buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => { seen.shift += value; })).observe({ type: 'layout-shift', buffered: true });
    setTimeout(() => done(`${seen.long} long tasks, the longest ${Math.round(seen.longest)} ms; layout shift ${seen.shift.toFixed(4)}`), 50);
  })";

/// People, rooms and a conversation as they might be: the room to look at, and somebody who stays there.
async fn a_lively_company(system: &System) -> (String, Chat) {
    let ann = system.newcomer("ann").await;
    let bob = system.newcomer("bob").await;
    let chloe = system.newcomer("chloe").await;
    for (person, name, bio) in [
        (&ann, "Ann Lee", "Harbour master. Mornings on the water, afternoons at the desk."),
        (&bob, "Bob Okafor", "Keeps the cranes moving."),
        (&chloe, "Chloé Martin", "Charts, tides and everything that floats."),
    ] {
        let profile = json!({"display_name": name, "bio": bio});
        person.send(system, Method::PATCH, "/user/me", Some(&profile)).await.expect(200);
    }
    let harbour = room(system, &ann, "harbour", "Ships, tides and who is on watch").await;
    let cranes = room(system, &bob, "cranes", "Maintenance and shifts").await;
    room(system, &chloe, "charts", "Soundings, corrections, new editions").await;
    for person in [&bob, &chloe] {
        person.join(system, &harbour).await;
    }
    ann.join(system, &cranes).await;
    let direct = json!({"user": user_id(system, &ann).await});
    let direct = chloe.post(system, "/chat/dms", &direct).await.json()["id"].as_str().unwrap().to_owned();

    let (mut anns, mut bobs, mut chloes) =
        (ann.chat(system).await, bob.chat(system).await, chloe.chat(system).await);
    for chat in [&mut anns, &mut bobs, &mut chloes] {
        chat.join(&harbour, None).await;
    }
    bobs.join(&cranes, None).await;
    chloes.join(&direct, None).await;
    anns.say(&harbour, "Good morning! The *Aurora* comes in with the tide at 14:20.").await;
    bobs.say(&harbour, "Crane 2 is free from noon. I have put it into the plan.").await;
    bobs.say(&harbour, "Crane 3 stays closed until the inspector has been here.").await;
    let chart = chloes.say(&harbour, "New soundings at the north quay: 7.4 m at low water. The corrected chart is at https://charts.example.org/north-quay").await;
    anns.say(&harbour, "> 7.4 m at low water\nThat is enough for her. Thank you, @chloe!").await;
    chloes.say(&harbour, "For the log:\n```\n14:20  Aurora   north quay   draught 6.1 m\n17:45  Teal     east basin   draught 3.8 m\n```").await;
    bobs.say(&harbour, "@ann shall I keep `crane-2` for the Teal as well?").await;
    for (name, emoji) in [("ann", "👍"), ("bob", "👍"), ("ann", "🎉")] {
        let chat = if name == "ann" { &mut anns } else { &mut bobs };
        let react = json!({"t": "react", "room": harbour, "seq": chart, "emoji": emoji, "on": true});
        chat.command(react).await;
    }
    bobs.say(&cranes, "Grease for crane 1 is ordered.").await;
    bobs.say(&cranes, "@ann the inspector comes at ten tomorrow.").await;
    chloes.say(&direct, "Do you have a minute after lunch?").await;
    (harbour, bobs)
}

async fn room(system: &System, owner: &Person, name: &str, topic: &str) -> String {
    let room = json!({"kind": "public", "name": name, "topic": topic});
    let room = owner.post(system, "/chat/rooms", &room).await.expect(201).json();
    room["id"].as_str().unwrap().to_owned()
}

async fn user_id(system: &System, person: &Person) -> Value {
    person.get(system, "/user/me").await.expect(200).json()["id"].clone()
}
