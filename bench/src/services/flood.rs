//! Many more sign-ins than passwords can be checked, and others who are no part of it.
//!
//! Sign-ins come when they are due, whether those before have been answered or not: that is what a flood is. The others
//! ask one after another, with a pause in between, and their answers are timed.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;

use super::load::Measured;
use crate::load::own::{client::Client, latencies, percentile_ms};

/// How many times what bcrypt alone can do.
pub(super) const TIMES: f64 = 10.0;

pub(super) const SIGN_IN: &str = "sign-in";

/// Between two requests of one of the others: often enough for a median, and so seldom that they are no load themselves,
/// for bcrypt alone has nobody beside it.
const PAUSE: Duration = Duration::from_millis(25);

/// Until the queue is full: what is measured is the flood, not its beginning.
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) struct Flood {
    /// Requests that are sent in turn.
    pub(super) sign_ins: Vec<String>,
    pub(super) per_second: f64,
    /// Name, address and request of each.
    pub(super) others: Vec<(&'static str, SocketAddr, String)>,
}

/// What has come of the sign-ins that were answered while it is measured.
#[derive(Default)]
struct Tally {
    measuring: bool,
    over: bool,
    admitted: u64,
    refused: u64,
    idle: Vec<Client>,
    problem: Option<String>,
}

impl Flood {
    /// Runs it; what was measured of the sign-ins first, then of each of the others.
    pub(super) fn run(
        self,
        auth: SocketAddr,
        time: Duration,
    ) -> anyhow::Result<Vec<(&'static str, Measured)>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = tokio::task::LocalSet::new();
        runtime.block_on(tasks.run_until(async {
            let tally = Rc::new(RefCell::new(Tally::default()));
            let others: Vec<_> = self
                .others
                .into_iter()
                .map(|(name, address, request)| {
                    (name, tokio::task::spawn_local(ask_on(address, request, Rc::clone(&tally))))
                })
                .collect();
            let pour =
                tokio::task::spawn_local(pour(auth, self.sign_ins, self.per_second, Rc::clone(&tally)));
            tokio::time::sleep(WARM_UP).await;
            let began = Instant::now();
            tally.borrow_mut().measuring = true;
            tokio::time::sleep(time).await;
            let seconds = began.elapsed().as_secs_f64();
            let (admitted, refused) = {
                let mut tally = tally.borrow_mut();
                tally.over = true;
                (tally.admitted, tally.refused)
            };
            pour.await?;
            if let Some(problem) = tally.borrow_mut().problem.take() {
                bail!(problem);
            }
            ensure!(refused > 0, "nobody was refused: that was no flood");
            let sign_ins = Measured {
                answered: admitted,
                seconds,
                per_second: admitted as f64 / seconds,
                refused_per_second: Some(refused as f64 / seconds),
                ..Measured::default()
            };
            let mut measured = vec![(SIGN_IN, sign_ins)];
            for (name, asked) in others {
                let latencies = asked.await?.with_context(|| format!("{name} in the flood"))?;
                measured.push((
                    name,
                    Measured {
                        answered: latencies.len(),
                        seconds,
                        per_second: latencies.len() as f64 / seconds,
                        p50_ms: percentile_ms(&latencies, 50.0),
                        p99_ms: percentile_ms(&latencies, 99.0),
                        ..Measured::default()
                    },
                ));
            }
            Ok(measured)
        }))
    }
}

/// Sends a sign-in whenever one is due.
async fn pour(auth: SocketAddr, sign_ins: Vec<String>, per_second: f64, tally: Rc<RefCell<Tally>>) {
    let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    for sign_in in sign_ins.iter().cycle() {
        due.tick().await;
        if tally.borrow().over {
            return;
        }
        let (sign_in, tally) = (sign_in.clone(), Rc::clone(&tally));
        tokio::task::spawn_local(async move {
            if let Err(why) = try_once(auth, &sign_in, &tally).await {
                tally.borrow_mut().problem.get_or_insert(format!("{why:#}"));
            }
        });
    }
}

async fn try_once(auth: SocketAddr, sign_in: &str, tally: &RefCell<Tally>) -> anyhow::Result<()> {
    let idle = tally.borrow_mut().idle.pop();
    let mut client = match idle {
        Some(client) => client,
        None => Client::connect(auth, None).await?,
    };
    let answer = client.exchange(sign_in.as_bytes()).await?;
    let mut tally = tally.borrow_mut();
    let counts = u64::from(tally.measuring && !tally.over);
    match answer.status {
        200 => tally.admitted += counts,
        429 => {
            let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
            ensure!(wait.is_some_and(|wait| wait > 0), "refused without a time to come back");
            tally.refused += counts;
        }
        status => bail!("answered {status}: {}", String::from_utf8_lossy(&answer.body)),
    }
    tally.idle.push(client);
    Ok(())
}

/// Asks until it is over; how long each answer took.
async fn ask_on(
    address: SocketAddr,
    request: String,
    tally: Rc<RefCell<Tally>>,
) -> anyhow::Result<Histogram<u64>> {
    let mut client = Client::connect(address, None).await?;
    let mut took = latencies()?;
    while !tally.borrow().over {
        let asked = Instant::now();
        let answer = client.exchange(request.as_bytes()).await?;
        ensure!(answer.status == 200, "answered {}", answer.status);
        if tally.borrow().measuring {
            took.saturating_record(u64::try_from(asked.elapsed().as_micros())?.max(1));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(took)
}
