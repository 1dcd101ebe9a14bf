//! Requests at a fixed rate, whether or not earlier ones are answered.
//!
//! A latency counts from the moment at which the request was *due*. A server that stalls for 100 ms delays all
//! requests that were due in that time, and all of them show it; a closed loop would have sent only one per
//! connection meanwhile and hidden the rest (coordinated omission).

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::{io::unix::AsyncFd, sync::Semaphore};

use super::{
    Outcome, Tally,
    client::{self, Client},
};

/// For requests that were due and not answered when the time is up.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn run(
    address: SocketAddr,
    path: &str,
    connections: usize,
    rate: f64,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let due = Rc::new(Due { permits: Semaphore::new(0), taken: Cell::new(0) });
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(address, Some(&client::tls(false)?)).await?;
        client.exchange(&client::get(path, &[])).await.context("the first request of a connection")?;
        clients.push(client);
    }

    let start = Instant::now();
    let request: Rc<[u8]> = client::get(path, &[]).into();
    let lanes: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let lane = Lane { address, client: Some(client), request: Rc::clone(&request), start, rate };
            tokio::task::spawn_local(lane.run(Rc::clone(&due), Rc::clone(&tally)))
        })
        .collect();
    let issued = issue(&due.permits, start, rate, time).await?;

    let end = Instant::now() + PATIENCE;
    while answered(&tally) < issued && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    lanes.iter().for_each(tokio::task::JoinHandle::abort);
    let mut tally = tally.borrow_mut();
    tally.errors = issued - tally.latencies.len();
    Ok(tally.outcome(time))
}

/// The requests that are due and that no connection has taken yet.
struct Due {
    permits: Semaphore,
    /// How many were taken; the n-th is due n intervals after the start.
    taken: Cell<u64>,
}

struct Lane {
    address: SocketAddr,
    client: Option<Client>,
    request: Rc<[u8]>,
    start: Instant,
    rate: f64,
}

impl Lane {
    async fn run(mut self, due: Rc<Due>, tally: Rc<RefCell<Tally>>) {
        while let Ok(permit) = due.permits.acquire().await {
            permit.forget();
            let nth = due.taken.replace(due.taken.get() + 1);
            let moment = self.start + Duration::from_secs_f64(nth as f64 / self.rate);
            match self.exchange().await {
                Ok(200) => tally.borrow_mut().record(moment.elapsed()),
                _ => {
                    self.client = None;
                    tally.borrow_mut().errors += 1;
                }
            }
        }
    }

    /// Asks once, over a new connection when the server has closed the old one.
    async fn exchange(&mut self) -> anyhow::Result<u16> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.address, Some(&client::tls(false)?)).await?,
        };
        let answer = client.exchange(&self.request).await?;
        let closes = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.client = (!closes).then_some(client);
        Ok(answer.status)
    }
}

/// Lets requests become due, one every interval; gives their number.
///
/// The runtime's own timers tick once a millisecond, and would let requests go in bursts. A timerfd is exact.
async fn issue(permits: &Semaphore, start: Instant, rate: f64, time: Duration) -> anyhow::Result<u64> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let interval = Duration::from_secs_f64(1.0 / rate);
    let every =
        Timespec { tv_sec: i64::try_from(interval.as_secs())?, tv_nsec: interval.subsec_nanos().into() };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: every, it_value: every })?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe, because some types change their descriptor; an OwnedFd cannot"
    )]
    let timer = AsyncFd::new(timer)?;
    let total = (rate * time.as_secs_f64()) as u64;
    let mut issued = 0;
    while issued < total {
        let mut ready = timer.readable().await?;
        let mut ticks = [0; 8];
        // Only how much time has passed counts, not the number of ticks in it: a late wake-up issues all at once.
        let _ = rustix::io::read(timer.get_ref(), &mut ticks);
        ready.clear_ready();
        let now = ((start.elapsed().as_secs_f64() * rate) as u64).min(total);
        permits.add_permits(usize::try_from(now.saturating_sub(issued))?);
        issued = now.max(issued);
    }
    Ok(issued)
}

fn answered(tally: &RefCell<Tally>) -> u64 {
    let tally = tally.borrow();
    tally.latencies.len() + tally.errors
}
