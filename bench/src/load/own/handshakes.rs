//! A TLS handshake for every request: connect, ask once, leave.
//!
//! Each client keeps its own sessions, as returning browsers do. A server that remembers only a few hundred sessions
//! looks well with 16 clients and resumes nothing with 400.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    Outcome, Tally,
    client::{self, Client},
};
use crate::load::Sessions;

/// Connections being made at a time, whatever the number of clients.
const AT_ONCE: usize = 16;

pub(super) async fn run(
    address: SocketAddr,
    path: &str,
    clients: usize,
    resume: bool,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let start = Instant::now();
    let mut lanes = Vec::new();
    for lane in 0..AT_ONCE.min(clients) {
        // Each lane lets its share of the clients return in turn.
        let share = (lane..clients).step_by(AT_ONCE).map(|_| client::tls(resume));
        let configs = share.collect::<anyhow::Result<Vec<_>>>()?;
        let request = client::get(path, &[]);
        let tally = Rc::clone(&tally);
        lanes.push(tokio::task::spawn_local(async move {
            for (nth, config) in configs.iter().cycle().enumerate() {
                let begun = Instant::now();
                if begun.duration_since(start) >= time {
                    return;
                }
                let done = async {
                    let mut client = Client::connect(address, Some(config)).await?;
                    let answer = client.exchange(&request).await?;
                    let resumed = client.resumed;
                    // The answer is here: how the other side takes the farewell changes nothing.
                    let _ = client.close().await;
                    Ok::<_, std::io::Error>((answer.status, resumed))
                };
                match done.await {
                    Ok((200, resumed)) => {
                        let mut tally = tally.borrow_mut();
                        tally.record(begun.elapsed());
                        tally.returned += u64::from(nth >= configs.len());
                        tally.resumed += u64::from(resumed);
                    }
                    _ => tally.borrow_mut().errors += 1,
                }
            }
        }));
    }
    for lane in lanes {
        lane.await?;
    }
    let tally = tally.borrow();
    let sessions = Sessions { returned: tally.returned, resumed: tally.resumed };
    Ok(Outcome { sessions: Some(sessions), ..tally.outcome(start.elapsed()) })
}
