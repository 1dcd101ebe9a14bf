//! A closed loop over HTTP/1.1 on one thread: each connection asks again as soon as it is answered.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::{
    chat::people::request,
    load::own::{client::Client, latencies, percentile_ms},
};

const WARM_UP: Duration = Duration::from_millis(300);

/// What one connection asks, again and again.
pub(super) enum Chain {
    Same(String),
    /// Each answer holds the token of the next request.
    Refresh(String),
}

/// What a service did.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(super) struct Measured {
    pub(super) answered: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    /// Told to come back later.
    pub(super) refused_per_second: Option<f64>,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) cpu_micros: f64,
    pub(super) postgres_micros: f64,
    pub(super) busy: f64,
    pub(super) others: f64,
}

struct Tally {
    latencies: Option<Histogram<u64>>,
    problem: Option<String>,
    end: Instant,
}

/// Runs all chains at once; `begin` is called when the measuring begins.
pub(super) fn run(
    address: SocketAddr,
    chains: Vec<Chain>,
    time: Duration,
    begin: impl FnOnce(),
) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    let warm = Instant::now() + WARM_UP;
    let tally = Rc::new(RefCell::new(Tally { latencies: None, problem: None, end: warm + time }));
    let seconds = runtime.block_on(tasks.run_until(async {
        let running: Vec<_> = chains
            .into_iter()
            .map(|chain| tokio::task::spawn_local(go_on(address, chain, Rc::clone(&tally))))
            .collect();
        tokio::time::sleep_until(warm.into()).await;
        begin();
        let began = Instant::now();
        {
            let mut tally = tally.borrow_mut();
            tally.latencies = Some(latencies()?);
            tally.end = began + time;
        }
        for task in running {
            task.await?;
        }
        anyhow::Ok(began.elapsed().as_secs_f64())
    }))?;
    let tally = tally.borrow();
    ensure!(tally.problem.is_none(), "{}", tally.problem.clone().unwrap_or_default());
    let latencies = tally.latencies.as_ref().context("measured above")?;
    let answered = latencies.len();
    Ok(Measured {
        answered,
        seconds,
        per_second: answered as f64 / seconds,
        p50_ms: percentile_ms(latencies, 50.0),
        p99_ms: percentile_ms(latencies, 99.0),
        ..Measured::default()
    })
}

async fn go_on(address: SocketAddr, chain: Chain, tally: Rc<RefCell<Tally>>) {
    if let Err(why) = try_go_on(address, chain, &tally).await {
        let mut tally = tally.borrow_mut();
        tally.problem.get_or_insert(format!("{why:#}"));
    }
}

async fn try_go_on(address: SocketAddr, mut chain: Chain, tally: &RefCell<Tally>) -> anyhow::Result<()> {
    let mut client = Client::connect(address, None).await?;
    loop {
        let asked = Instant::now();
        if asked >= tally.borrow().end || tally.borrow().problem.is_some() {
            return Ok(());
        }
        let answer = match &chain {
            Chain::Same(request) => client.exchange(request.as_bytes()).await?,
            Chain::Refresh(token) => {
                let body = json!({ "refresh_token": token });
                client.exchange(request("POST", "/auth/refresh", "", Some(&body)).as_bytes()).await?
            }
        };
        ensure!(
            answer.status == 200,
            "answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        if let Chain::Refresh(token) = &mut chain {
            let answer: Value = serde_json::from_slice(&answer.body)?;
            let next = answer.get("refresh_token").and_then(Value::as_str).context("no next token")?;
            next.clone_into(token);
        }
        if let Some(latencies) = &mut tally.borrow_mut().latencies {
            latencies.saturating_record(u64::try_from(asked.elapsed().as_micros())?.max(1));
        }
    }
}
