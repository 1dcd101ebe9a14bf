//! Far more people sign in than passwords can be checked: the excess is told to come back, and nobody else notices.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Backend, PASSWORD, Person, Setup, System};

/// Who tries at once, again and again: several times what the queue takes.
const CROWD: usize = 64;
const FLOOD: Duration = Duration::from_secs(8);
/// Between two attempts of each: ten times what two processors can check come in all.
const PAUSE: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_sign_ins_is_refused_in_part_and_leaves_everything_else_alone() {
    let mut setup = Setup::new(Backend::Embedded);
    // As costly as OWASP asks for at the least.
    setup.set("IRONGATE_AUTH__BCRYPT_COST", "10");
    setup.set("IRONGATE_USER__BCRYPT_COST", "10");
    // The gateway's own patience is no subject here, and the machine may do other things.
    for service in ["AUTH", "USER"] {
        setup.set(&format!("IRONGATE_GATEWAY__UPSTREAM__{service}__HEALTH__TIMEOUT"), "20s");
    }
    let system = System::start_over(setup).await;
    let ann = system.newcomer("ann").await;
    // Somebody else: an account has so many sessions at most, and the crowd's would push out the one that asks on.
    system.newcomer("bob").await;
    let over = AtomicBool::new(false);

    let crowd = join_all((0..CROWD).map(|_| tries_until(&system, &over)));
    let (tried, asked) = tokio::join!(crowd, asks_on(&system, &ann, &over));

    let (admitted, refused) = tried.into_iter().fold((0, 0), |(a, r), (b, s)| (a + b, r + s));
    assert!(admitted > 0 && refused > admitted, "{admitted} admitted, {refused} refused: is this a flood?");
    // A figure is for `just bench services`; but who waits in the queue behind the crowd would be here for seconds.
    let mut waits: Vec<_> = asked.iter().map(Duration::as_millis).collect();
    waits.sort_unstable();
    eprintln!("{admitted} admitted, {refused} refused; others waited {waits:?} ms");
    assert!(waits.len() >= 10, "others were answered {} times only", waits.len());
}

/// How often it was admitted and how often told to come back.
async fn tries_until(system: &System, over: &AtomicBool) -> (u32, u32) {
    let login = json!({"username": "bob", "password": PASSWORD});
    let (mut admitted, mut refused) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let answer = system.post("/auth/login", &login).await;
        match answer.status.as_u16() {
            200 => admitted += 1,
            429 => {
                assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|wait| wait > 0), "{answer}");
                refused += 1;
                tokio::time::sleep(PAUSE).await;
            }
            _ => panic!("{answer}"),
        }
    }
    (admitted, refused)
}

/// Two who are no part of it, until it is over: how long each answer took.
async fn asks_on(system: &System, ann: &Person, over: &AtomicBool) -> Vec<Duration> {
    let (begin, mut took) = (Instant::now(), Vec::new());
    while begin.elapsed() < FLOOD {
        for path in ["/user/me", "/health", "/auth/sessions"] {
            let asked = Instant::now();
            ann.get(system, path).await.expect(200);
            took.push(asked.elapsed());
        }
    }
    over.store(true, Ordering::Relaxed);
    took
}
