//! An upstream: its servers, who may be asked next, and the breaker in front of them.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use arc_swap::ArcSwap;
use http::StatusCode;
use pingora::protocols::tls::CaType;
use tokio::{sync::Notify, time::timeout};

use super::{
    Dial, Resolver, Server, ServerSpec,
    balance::{self, Choice, Roster},
    retry::RetryBudget,
};
use crate::{config, fault::UpstreamFault, wire::Fields};

/// What `balance = "hash"` goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HashOn {
    Client,
    Header(String),
    Cookie(String),
}

impl HashOn {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "client" => Ok(HashOn::Client),
            Some(("header", name)) if !name.is_empty() => Ok(HashOn::Header(name.to_owned())),
            Some(("cookie", name)) if !name.is_empty() => Ok(HashOn::Cookie(name.to_owned())),
            _ => Err(format!("`{text}` is none of `client`, `header:NAME`, `cookie:NAME`")),
        }
    }

    pub(crate) fn key(&self, fields: &Fields, client: IpAddr) -> Option<u64> {
        match self {
            HashOn::Client => Some(balance::hash(client.to_string().as_bytes())),
            HashOn::Header(name) => fields.get(name).map(balance::hash),
            HashOn::Cookie(name) => fields
                .all("cookie")
                .flat_map(|cookies| cookies.split(|byte| *byte == b';'))
                .filter_map(|cookie| {
                    let cookie = crate::wire::trim_ows(cookie);
                    cookie.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
                })
                .next()
                .map(balance::hash),
        }
    }
}

/// An upstream's settings, ready for use.
#[derive(Clone)]
pub(crate) struct PoolSettings {
    pub(crate) servers: Vec<ServerSpec>,
    pub(crate) hash_on: HashOn,
    /// Whom the servers' certificates are checked against.
    pub(crate) tls_root: Option<Arc<CaType>>,
    pub(crate) dial: Dial,
    /// Who knows the servers' addresses.
    pub(crate) resolver: Resolver,
    pub(crate) raw: config::Upstream,
}

pub(crate) struct Pool {
    pub(crate) name: Arc<str>,
    servers: ArcSwap<Vec<Arc<Server>>>,
    rosters: ArcSwap<Rosters>,
    settings: ArcSwap<PoolSettings>,
    /// Woken when settings changed, so that names and servers are looked at again.
    pub(super) changed: Notify,
    turn: AtomicUsize,
    in_flight: AtomicUsize,
    /// Requests that wait for a place under the breaker.
    pending: AtomicUsize,
    freed: Notify,
    pub(crate) budget: RetryBudget,
}

/// The servers again, as requests look for one: a backup is asked only when no other is left.
#[derive(Default)]
struct Rosters {
    regular: Roster,
    backup: Roster,
}

impl Pool {
    pub(super) fn new(name: &str, settings: PoolSettings) -> Self {
        Self {
            name: name.into(),
            servers: ArcSwap::from_pointee(Vec::new()),
            rosters: ArcSwap::default(),
            settings: ArcSwap::from_pointee(settings),
            changed: Notify::new(),
            turn: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            freed: Notify::new(),
            budget: RetryBudget::default(),
        }
    }

    pub(crate) fn settings(&self) -> Arc<PoolSettings> {
        self.settings.load_full()
    }

    pub(super) fn configure(&self, settings: PoolSettings) {
        self.settings.store(Arc::new(settings));
        self.changed.notify_one();
    }

    pub(crate) fn servers(&self) -> Arc<Vec<Arc<Server>>> {
        self.servers.load_full()
    }

    pub(super) fn set_servers(&self, servers: Vec<Arc<Server>>) {
        let (backup, regular) = servers.iter().cloned().partition(|server| server.backup);
        let rosters = Rosters { regular: Roster::new(regular), backup: Roster::new(backup) };
        self.rosters.store(Arc::new(rosters));
        self.servers.store(Arc::new(servers));
    }

    /// Requests in flight, and requests that wait to be.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.in_flight.load(Relaxed), self.pending.load(Relaxed))
    }

    /// A place for one request under the breaker, at a server that is not in `tried`; waits a while for one when all
    /// are taken and not too many wait already.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        key: Option<u64>,
        tried: &[Arc<str>],
    ) -> Result<Lease, UpstreamFault> {
        match self.try_lease(key, tried) {
            Err(UpstreamFault::Overloaded) => Box::pin(self.lease_in_turn(key, tried)).await,
            done => done,
        }
    }

    async fn lease_in_turn(
        self: &Arc<Self>,
        key: Option<u64>,
        tried: &[Arc<str>],
    ) -> Result<Lease, UpstreamFault> {
        let settings = self.settings();
        let _waiting =
            Pending::enter(&self.pending, settings.raw.max_pending).ok_or(UpstreamFault::Overloaded)?;
        let turn = async {
            loop {
                // Listens before it looks: a place that is freed in between wakes it.
                let freed = self.freed.notified();
                match self.try_lease(key, tried) {
                    Err(UpstreamFault::Overloaded) => freed.await,
                    done => return done,
                }
            }
        };
        timeout(settings.raw.pending_timeout.get(), turn).await.unwrap_or(Err(UpstreamFault::Overloaded))
    }

    /// As [`Pool::lease`], without waiting.
    pub(crate) fn try_lease(
        self: &Arc<Self>,
        key: Option<u64>,
        tried: &[Arc<str>],
    ) -> Result<Lease, UpstreamFault> {
        let settings = self.settings.load();
        if self.in_flight.load(SeqCst) >= settings.raw.max_in_flight {
            return Err(UpstreamFault::Overloaded);
        }
        let rosters = self.rosters.load();
        let admits = |server: &Server| server.is_eligible() && !tried.contains(&server.name);
        let choice = Choice {
            method: settings.raw.balance,
            turn: &self.turn,
            key,
            slow_start: settings.raw.slow_start.get(),
        };
        let picked = rosters.regular.pick(&choice, admits);
        let picked =
            picked.or_else(|| rosters.backup.pick(&choice, admits)).ok_or(UpstreamFault::NoneHealthy)?;
        self.in_flight.fetch_add(1, SeqCst);
        picked.in_flight.fetch_add(1, Relaxed);
        picked.requests.fetch_add(1, Relaxed);
        Ok(Lease { pool: self.clone(), server: picked.clone(), counts: true })
    }

    fn give_place(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
        if self.pending.load(SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// A request failed at `server`: counts it, and ejects the server when it fails too often and
    /// enough others are left.
    pub(crate) fn failed(&self, server: &Server, fault: &UpstreamFault) {
        let reason = crate::fault::Fault::from(fault.clone()).cause();
        let in_row = server.failed(&reason);
        let settings = self.settings.load();
        let ejection = &settings.raw.ejection;
        if ejection.failures == 0 || in_row < ejection.failures {
            return;
        }
        let servers = self.servers.load();
        let ejected = servers.iter().filter(|server| server.is_ejected()).count();
        if (ejected + 1) * 100 <= servers.len() * ejection.max_percent as usize {
            server.eject(ejection.duration.get());
            tracing::warn!(upstream = &*self.name, server = &*server.name, reason, "server ejected");
        }
    }

    /// `up`, `degraded` or `down`.
    pub(crate) fn state(&self) -> &'static str {
        let servers = self.servers.load();
        let eligible = servers.iter().filter(|server| server.is_eligible()).count();
        let troubled = servers.iter().any(|server| server.story().health == super::Health::Degraded);
        match eligible {
            0 => "down",
            all if all == servers.len() && !troubled => "up",
            _ => "degraded",
        }
    }
}

/// One of the requests that wait; leaves the queue when dropped.
struct Pending<'p>(&'p AtomicUsize);

impl<'p> Pending<'p> {
    fn enter(pending: &'p AtomicUsize, at_most: usize) -> Option<Self> {
        pending.fetch_update(SeqCst, SeqCst, |waiting| (waiting < at_most).then_some(waiting + 1)).ok()?;
        Some(Self(pending))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// One request's place at a server; gives it back when dropped.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    pub(crate) server: Arc<Server>,
    /// Whether it still takes a place under the breaker.
    counts: bool,
}

impl Lease {
    /// What began here lasts (a WebSocket): it goes on counting as the server's load, but ten thousand people who
    /// listen must not keep requests out.
    pub(crate) fn outlives_the_request(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.pool.give_place();
        }
    }

    /// The server answered with `status`. One that only says 502, 503 or 504 is no better than one that is away.
    pub(crate) fn answered(&self, status: StatusCode) {
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                let fault = UpstreamFault::Refused(format!("answered {}", status.as_u16()));
                self.pool.failed(&self.server, &fault);
            }
            _ => self.server.succeeded(),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.in_flight.fetch_sub(1, Relaxed);
        if self.counts {
            self.pool.give_place();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use irongate_shared::config::Period;

    use super::*;
    use crate::upstream::Address;

    fn pool(backup_from: u16) -> Arc<Pool> {
        let settings = PoolSettings {
            servers: Vec::new(),
            hash_on: HashOn::Client,
            tls_root: None,
            dial: Dial::Plain,
            resolver: Resolver::System,
            raw: config::Upstream { max_in_flight: 3, ..config::Upstream::default() },
        };
        let pool = Pool::new("api", settings);
        pool.set_servers(
            (1..=2)
                .map(|port| {
                    let address = Address::Tcp(([127, 0, 0, 1], port).into());
                    let server = Server::new(address, 1, port >= backup_from);
                    server.checked(Ok(false), Duration::ZERO, 2, 2);
                    Arc::new(server)
                })
                .collect(),
        );
        Arc::new(pool)
    }

    #[test]
    fn a_backup_is_asked_only_when_no_other_is_left() {
        let pool = pool(2);
        for _ in 0..50 {
            assert_eq!(&*pool.try_lease(None, &[]).unwrap().server.name, "127.0.0.1:1");
        }
        pool.servers()[0].drain(true);
        assert_eq!(&*pool.try_lease(None, &[]).unwrap().server.name, "127.0.0.1:2");
    }

    #[test]
    fn a_second_try_goes_elsewhere() {
        let pool = pool(9);
        let first = pool.try_lease(None, &[]).unwrap().server.name.clone();
        for _ in 0..20 {
            assert_ne!(pool.try_lease(None, std::slice::from_ref(&first)).unwrap().server.name, first);
        }
    }

    #[test]
    fn the_breaker_opens_when_too_much_is_in_flight_and_closes_again() {
        let pool = pool(9);
        let held: Vec<Lease> = (0..3).map(|_| pool.try_lease(None, &[]).unwrap()).collect();
        assert_eq!(pool.try_lease(None, &[]).err(), Some(UpstreamFault::Overloaded));
        drop(held);
        assert!(pool.try_lease(None, &[]).is_ok());
    }

    #[test]
    fn what_lasts_is_load_of_its_server_and_takes_no_place() {
        let pool = pool(9);
        let mut held: Vec<Lease> = (0..3).map(|_| pool.try_lease(None, &[]).unwrap()).collect();
        held.iter_mut().for_each(Lease::outlives_the_request);
        let load = || pool.servers().iter().map(|server| server.in_flight.load(Relaxed)).sum::<usize>();
        assert_eq!((pool.load().0, load()), (0, 3));
        assert!(pool.try_lease(None, &[]).is_ok());
        drop(held);
        assert_eq!((pool.load().0, load()), (0, 0));
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_is_freed_and_the_queue_has_an_end() {
        let pool = pool(9);
        let mut settings = PoolSettings::clone(&pool.settings());
        (settings.raw.max_pending, settings.raw.pending_timeout) = (1, Period::from_secs(20));
        pool.configure(settings);
        let mut held: Vec<Lease> = (0..3).map(|_| pool.try_lease(None, &[]).unwrap()).collect();
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.lease(None, &[]).await.map(|lease| lease.server.name.clone()) }
        });
        while pool.load().1 == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            pool.lease(None, &[]).await.err(),
            Some(UpstreamFault::Overloaded),
            "one may wait, not two"
        );
        held.pop();
        assert!(waiting.await.unwrap().is_ok());
        assert_eq!(pool.load(), (2, 0));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let pool = pool(9);
        let mut settings = PoolSettings::clone(&pool.settings());
        settings.raw.pending_timeout = "20ms".parse().unwrap();
        pool.configure(settings);
        let _held: Vec<Lease> = (0..3).map(|_| pool.try_lease(None, &[]).unwrap()).collect();
        assert_eq!(pool.lease(None, &[]).await.err(), Some(UpstreamFault::Overloaded));
        assert_eq!(pool.load(), (3, 0));
    }

    #[test]
    fn never_more_than_the_allowed_share_is_ejected() {
        let pool = pool(9);
        for server in pool.servers().iter() {
            for _ in 0..5 {
                pool.failed(server, &UpstreamFault::ClosedEarly);
            }
        }
        assert_eq!(pool.servers().iter().filter(|server| server.is_ejected()).count(), 1);
    }

    #[test]
    fn cookies_and_headers_make_hash_keys() {
        let mut fields = Fields::default();
        fields.push("Cookie", "a=1; session=xyz");
        let client = "127.0.0.1".parse().unwrap();
        let key = HashOn::parse("cookie:session").unwrap().key(&fields, client);
        assert_eq!(key, Some(balance::hash(b"xyz")));
        assert_eq!(HashOn::parse("cookie:none").unwrap().key(&fields, client), None);
        assert!(HashOn::parse("query:x").is_err());
    }
}
