//! The machine's time is put right by a minute, either way: nobody is signed out for it, and nothing stands still.

use std::{fs, path::PathBuf};

use reqwest::Method;
use serde_json::json;

use crate::support::{Backend, Person, Setup, System};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_a_minute_either_way_signs_nobody_out() {
    let clock = Clock::new();
    let system = System::start_over(clock.given_to(Setup::new(Backend::Embedded))).await;
    let ann = system.newcomer("ann").await;
    let room = ann.create_room(&system, "harbour").await;
    let mut chat = ann.chat(&system).await;
    chat.join(&room, None).await;
    let first = chat.say(&room, "at noon").await;

    clock.shows("+60s");
    ann.get(&system, "/user/me").await.expect(200);
    assert_eq!(chat.say(&room, "a minute later, at once").await, first + 1);
    ann.refresh(&system).await.expect(200);
    let bob = system.newcomer("bob").await;
    bob.join(&system, &room).await;

    // Whatever was made meanwhile now lies in the future: bob's account, session, token and membership.
    clock.shows("+0s");
    bob.get(&system, "/user/me").await.expect(200);
    bob.refresh(&system).await.expect(200);
    Person::new(&system, "bob").sign_in(&system).await;
    let mut bobs = bob.chat(&system).await;
    bobs.join(&room, None).await;
    let last = bobs.say(&room, "back in time").await;
    chat.hears("back in time").await;
    assert_eq!(chat.say(&room, "and in order").await, last + 1);

    // A minute of the future is no way around the blacklist.
    bob.send(&system, Method::POST, "/auth/logout", None).await.expect(204);
    bob.get(&system, "/user/me").await.problem(401);
    bob.refresh(&system).await.problem(401);

    clock.shows("-60s");
    ann.get(&system, "/user/me").await.expect(200);
    ann.refresh(&system).await.expect(200);
    chat.say(&room, "earlier still").await;
    system.newcomer("cid").await;
    system.post("/auth/refresh", &json!({})).await.problem(401);
}

/// What time the programs of a system see: libfaketime between them and the kernel.
struct Clock {
    directory: tempfile::TempDir,
}

impl Clock {
    fn new() -> Self {
        let clock = Self { directory: tempfile::tempdir().unwrap() };
        clock.shows("+0s");
        clock
    }

    fn given_to(&self, mut setup: Setup) -> Setup {
        setup.set("LD_PRELOAD", &library().display().to_string());
        setup.set("FAKETIME_TIMESTAMP_FILE", &self.file().display().to_string());
        setup.set("FAKETIME_NO_CACHE", "1");
        // A clock that is put right is the one on the wall: how long things take is measured by another.
        setup.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        setup
    }

    /// From the next look on, in all programs.
    fn shows(&self, offset: &str) {
        let next = self.directory.path().join("next");
        fs::write(&next, offset).unwrap();
        fs::rename(next, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }
}

fn library() -> PathBuf {
    let folders = ["/usr/lib", "/usr/lib64"].into_iter().flat_map(|folder| {
        let below = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        below.chain([PathBuf::from(folder)])
    });
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.exists()).expect(
        "libfaketime is not installed: `./just test` installs it (Debian: `apt-get install libfaketime`)",
    )
}
