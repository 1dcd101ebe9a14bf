//! One server of an upstream: its state, its counters, its idle connections.

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::connection::IdleConnections;

/// How many checks and changes the dashboard can look back on.
const CHECKS_KEPT: usize = 60;
const CHANGES_KEPT: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An entry of `servers = […]` as it stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSpec {
    pub(crate) target: Target,
    pub(crate) weight: u32,
    pub(crate) backup: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Fixed(Address),
    /// Looked up again all the time.
    Name {
        host: String,
        port: u16,
    },
}

impl ServerSpec {
    /// Reads `host:port [weight=N] [backup]`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let address = words.next().ok_or("is empty")?;
        let (mut weight, mut backup) = (1, false);
        for word in words {
            match word.split_once('=') {
                Some(("weight", number)) => {
                    weight = number
                        .parse()
                        .ok()
                        .filter(|weight| (1..=1000).contains(weight))
                        .ok_or_else(|| format!("`{number}` is no weight between 1 and 1000"))?;
                }
                None if word == "backup" => backup = true,
                _ => return Err(format!("`{word}` is neither `weight=N` nor `backup`")),
            }
        }
        let target = if let Some(path) = address.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err(format!("`{address}`: a socket path begins with /"));
            }
            Target::Fixed(Address::Unix(path.into()))
        } else if let Ok(address) = address.parse::<SocketAddr>() {
            Target::Fixed(Address::Tcp(address))
        } else {
            let (host, port) = address
                .rsplit_once(':')
                .ok_or_else(|| format!("`{address}` lacks a port: write `{address}:7001`"))?;
            let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
            let host_is_name = !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
            if !host_is_name {
                return Err(format!("`{host}` is no host name (a scheme does not belong here)"));
            }
            Target::Name { host: host.to_owned(), port }
        };
        Ok(Self { target, weight, backup })
    }
}

/// What is known of a server's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not checked yet: gets no request.
    Unknown,
    Up,
    /// Up, but it says itself that something it needs is amiss.
    Degraded,
    Down,
}

impl Health {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up | Health::Degraded => "up",
            Health::Down => "down",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) at: Timestamp,
    pub(crate) ok: bool,
    pub(crate) latency: Duration,
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    pub(crate) state: &'static str,
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) at: Timestamp,
    pub(crate) reason: String,
}

/// What the dashboard tells of a server; behind one lock that the request path takes only when it fails.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) health: Health,
    pub(crate) since: Timestamp,
    pub(crate) passes: u32,
    pub(crate) fails: u32,
    pub(crate) latency: Option<Duration>,
    pub(crate) last_failure: Option<Failure>,
    pub(crate) checks: VecDeque<Check>,
    pub(crate) changes: VecDeque<Change>,
}

pub(crate) struct Server {
    pub(crate) name: Arc<str>,
    pub(crate) address: Address,
    pub(crate) weight: u32,
    pub(crate) backup: bool,
    /// Copy of `story.health` that the request path reads.
    serving: AtomicBool,
    drained: AtomicBool,
    /// Milliseconds since `born`; a server is left out until then.
    ejected_until: AtomicU64,
    ejections: AtomicU32,
    failures_in_row: AtomicU32,
    /// Milliseconds since `born` when it last came up, for slow start.
    up_since: AtomicU64,
    born: Instant,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) requests: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) idle: IdleConnections,
    pub(crate) check_now: Notify,
    story: Mutex<Story>,
}

impl Server {
    pub(crate) fn new(address: Address, weight: u32, backup: bool) -> Self {
        Self {
            name: address.to_string().into(),
            address,
            weight,
            backup,
            serving: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            ejected_until: AtomicU64::new(0),
            ejections: AtomicU32::new(0),
            failures_in_row: AtomicU32::new(0),
            up_since: AtomicU64::new(0),
            born: Instant::now(),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            idle: IdleConnections::default(),
            check_now: Notify::new(),
            story: Mutex::new(Story {
                health: Health::Unknown,
                since: Timestamp::now(),
                passes: 0,
                fails: 0,
                latency: None,
                last_failure: None,
                checks: VecDeque::new(),
                changes: VecDeque::new(),
            }),
        }
    }

    /// Whether a request may go here now.
    pub(crate) fn is_eligible(&self) -> bool {
        self.serving.load(Relaxed) && !self.drained.load(Relaxed) && !self.is_ejected()
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.serving.load(Relaxed)
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.drained.load(Relaxed)
    }

    pub(crate) fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Relaxed);
        // Hardly any server ever was: the clock is not asked for the others.
        until != 0 && self.age_ms() < until
    }

    pub(crate) fn story(&self) -> Story {
        self.lock().clone()
    }

    /// `up`, `down`, `unknown` or `draining`, as the dashboard says it.
    pub(crate) fn state(&self) -> &'static str {
        if self.is_drained() {
            return "draining";
        }
        if self.is_ejected() {
            return "down";
        }
        self.lock().health.name()
    }

    pub(crate) fn drain(&self, drained: bool) {
        if self.drained.swap(drained, Relaxed) != drained {
            let mut story = self.lock();
            let state = if drained { "draining" } else { story.health.name() };
            remember(&mut story, state, Some("by an operator".into()));
        }
    }

    /// What an active check found. Returns the words for the log when the state changed.
    pub(crate) fn checked(
        &self,
        result: Result<bool, String>,
        latency: Duration,
        rise: u32,
        fall: u32,
    ) -> Option<&'static str> {
        let mut story = self.lock();
        let at = Timestamp::now();
        let reason = result.as_ref().err().cloned();
        push_bounded(
            &mut story.checks,
            Check { at, ok: result.is_ok(), latency, reason: reason.clone() },
            CHECKS_KEPT,
        );
        let next = match result {
            Ok(degraded) => {
                story.latency = Some(latency);
                story.passes = story.passes.saturating_add(1);
                story.fails = 0;
                let healthy = if degraded { Health::Degraded } else { Health::Up };
                match story.health {
                    // The first pass ever is enough: there is no bad history to outweigh.
                    Health::Unknown | Health::Up | Health::Degraded => healthy,
                    Health::Down if story.passes >= rise => healthy,
                    Health::Down => Health::Down,
                }
            }
            Err(reason) => {
                story.last_failure = Some(Failure { at, reason });
                story.passes = 0;
                story.fails = story.fails.saturating_add(1);
                match story.health {
                    Health::Unknown | Health::Down => Health::Down,
                    // A request that just failed here is evidence too.
                    Health::Up | Health::Degraded
                        if story.fails >= fall || self.failures_in_row.load(Relaxed) > 0 =>
                    {
                        Health::Down
                    }
                    Health::Up => Health::Up,
                    Health::Degraded => Health::Degraded,
                }
            }
        };
        let was = story.health.name();
        let now = next.name();
        let serving = matches!(next, Health::Up | Health::Degraded);
        if serving && !self.serving.load(Relaxed) {
            self.up_since.store(self.age_ms(), Relaxed);
            self.failures_in_row.store(0, Relaxed);
        }
        self.serving.store(serving, Relaxed);
        story.health = next;
        if was == now {
            return None;
        }
        story.since = at;
        remember(&mut story, now, reason);
        Some(now)
    }

    /// A request went well here.
    pub(crate) fn succeeded(&self) {
        if self.failures_in_row.load(Relaxed) != 0 {
            self.failures_in_row.store(0, Relaxed);
            self.ejections.store(0, Relaxed);
        }
    }

    /// A request failed here. Returns how many did in a row.
    pub(crate) fn failed(&self, reason: &str) -> u32 {
        self.failures.fetch_add(1, Relaxed);
        self.lock().last_failure = Some(Failure { at: Timestamp::now(), reason: reason.to_owned() });
        // Ask at once rather than at the next interval: a killed server is found by its first victim.
        self.check_now.notify_one();
        self.failures_in_row.fetch_add(1, Relaxed) + 1
    }

    /// Leaves the server out for `base` times the number of ejections in a row.
    pub(crate) fn eject(&self, base: Duration) {
        let times = self.ejections.fetch_add(1, Relaxed).saturating_add(1).min(10);
        let until = self.age_ms() + u64::try_from((base * times).as_millis()).unwrap_or(u64::MAX);
        self.ejected_until.store(until, Relaxed);
        self.failures_in_row.store(0, Relaxed);
        let mut story = self.lock();
        remember(
            &mut story,
            "down",
            Some(format!("ejected for {} s: requests failed", (base * times).as_secs())),
        );
    }

    /// Share of its weight that a server gets while it warms up, in percent.
    pub(crate) fn warmth(&self, slow_start: Duration) -> u32 {
        if slow_start.is_zero() {
            return 100;
        }
        let up_for = self.age_ms().saturating_sub(self.up_since.load(Relaxed));
        let share = u128::from(up_for) * 100 / slow_start.as_millis().max(1);
        u32::try_from(share.clamp(10, 100)).unwrap_or(100)
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(story: &mut Story, state: &'static str, reason: Option<String>) {
    push_bounded(&mut story.changes, Change { at: Timestamp::now(), state, reason }, CHANGES_KEPT);
}

fn push_bounded<T>(queue: &mut VecDeque<T>, value: T, limit: usize) {
    if queue.len() == limit {
        queue.pop_front();
    }
    queue.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server::new(Address::Tcp("127.0.0.1:1".parse().unwrap()), 1, false)
    }

    fn check(server: &Server, ok: bool) {
        let result = if ok { Ok(false) } else { Err("refused".to_owned()) };
        server.checked(result, Duration::ZERO, 2, 2);
    }

    #[test]
    fn a_server_never_seen_healthy_gets_no_request() {
        let server = server();
        assert!(!server.is_eligible());
        check(&server, false);
        assert!(!server.is_eligible());
        assert_eq!(server.state(), "down");
    }

    #[test]
    fn rise_and_fall_are_counted_in_a_row() {
        let server = server();
        check(&server, true);
        assert!(server.is_eligible(), "the first pass is enough");
        check(&server, false);
        assert!(server.is_eligible(), "one failure is not");
        check(&server, true);
        check(&server, false);
        check(&server, false);
        assert!(!server.is_eligible());
        check(&server, true);
        assert!(!server.is_eligible());
        check(&server, true);
        assert!(server.is_eligible());
    }

    #[test]
    fn a_failed_request_and_a_failed_check_together_take_a_server_out() {
        let server = server();
        check(&server, true);
        server.failed("connection refused");
        check(&server, false);
        assert!(!server.is_eligible());
    }

    #[test]
    fn drained_and_ejected_servers_are_left_out() {
        let server = server();
        check(&server, true);
        server.drain(true);
        assert!(!server.is_eligible());
        assert_eq!(server.state(), "draining");
        server.drain(false);
        assert!(server.is_eligible());
        server.eject(Duration::from_secs(5));
        assert!(!server.is_eligible());
    }

    #[test]
    fn servers_are_read_as_people_write_them() {
        let spec = ServerSpec::parse("10.0.0.1:80 weight=3 backup").unwrap();
        assert_eq!((spec.weight, spec.backup), (3, true));
        assert_eq!(spec.target, Target::Fixed(Address::Tcp("10.0.0.1:80".parse().unwrap())));
        assert_eq!(
            ServerSpec::parse("chat-svc:7003").unwrap().target,
            Target::Name { host: "chat-svc".into(), port: 7003 }
        );
        assert!(matches!(
            ServerSpec::parse("unix:/run/a.sock").unwrap().target,
            Target::Fixed(Address::Unix(_))
        ));
        for bad in ["", "localhost", "http://a:1", "a:b", "a:1 weight=0", "a:1 wieght=2", "unix:a"] {
            assert!(ServerSpec::parse(bad).is_err(), "{bad}");
        }
    }
}
