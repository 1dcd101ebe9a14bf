//! The tasks that keep upstreams current: one per upstream for names and servers, one per server for
//! health. All of them are owned here and end with the gateway.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Address, Pool, Server, health, pool::PoolSettings, server::Target};

const LOOKUP_LIMIT: Duration = Duration::from_secs(2);

/// All upstreams by name.
pub(crate) struct Registry {
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
    changed: Notify,
    /// Turns true when every server was asked once.
    seen: watch::Sender<bool>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { pools: Mutex::default(), changed: Notify::new(), seen: watch::Sender::new(false) }
    }

    /// Brings the upstreams in line with the configuration; what stays keeps its state.
    pub(crate) fn configure(
        &self,
        mut wanted: BTreeMap<String, PoolSettings>,
    ) -> BTreeMap<String, Arc<Pool>> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|name, _| wanted.contains_key(name));
        for (name, pool) in pools.iter() {
            if let Some(settings) = wanted.remove(name) {
                pool.configure(settings);
            }
        }
        for (name, settings) in wanted {
            let pool = Arc::new(Pool::new(&name, settings));
            pools.insert(name, pool);
        }
        self.changed.notify_one();
        pools.clone()
    }

    pub(crate) fn pools(&self) -> BTreeMap<String, Arc<Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until every server was asked once, but no longer than `at_most`.
    pub(crate) async fn first_pass(&self, at_most: Duration) {
        let mut seen = self.seen.subscribe();
        let _ = timeout(at_most, seen.wait_for(|seen| *seen)).await;
    }

    /// Runs until `stop`.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<String, (Arc<Pool>, CancellationToken)> = BTreeMap::new();
        // What was there at the start is waited for; what a reload adds later is not.
        let (unseen, mut first) = watch::channel(self.pools().len());
        loop {
            let pools = self.pools();
            running.retain(|name, (pool, token)| {
                let stays = pools.get(name).is_some_and(|current| Arc::ptr_eq(current, pool));
                if !stays {
                    token.cancel();
                }
                stays
            });
            for (name, pool) in pools {
                if running.contains_key(&name) {
                    continue;
                }
                let token = stop.child_token();
                running.insert(name, (pool.clone(), token.clone()));
                tasks.spawn(keep(pool, token, one_less(&unseen)));
            }
            tokio::select! {
                () = none_left(&mut first), if !*self.seen.borrow() => {
                    self.seen.send_replace(true);
                }
                () = self.changed.notified() => {}
                () = stop.cancelled() => break,
            }
            while tasks.try_join_next().is_some() {}
        }
        for (_, token) in running.values() {
            token.cancel();
        }
        while tasks.join_next().await.is_some() {}
    }
}

fn one_less(count: &watch::Sender<usize>) -> impl FnOnce() + Send + 'static {
    let count = count.clone();
    move || count.send_modify(|left| *left = left.saturating_sub(1))
}

async fn none_left(count: &mut watch::Receiver<usize>) {
    // An error means that nobody is left to count.
    let _ = count.wait_for(|left| *left == 0).await;
}

/// Follows one upstream's names and owns the checkers of its servers.
async fn keep(pool: Arc<Pool>, stop: CancellationToken, first_pass: impl FnOnce() + Send + 'static) {
    let mut checkers = JoinSet::new();
    let mut tokens: BTreeMap<String, CancellationToken> = BTreeMap::new();
    let mut known: BTreeMap<String, Vec<Address>> = BTreeMap::new();
    let mut first_pass = Some(first_pass);
    loop {
        let settings = pool.settings();
        let servers = resolve(&pool, &settings, &mut known).await;
        tokens.retain(|name, token| {
            let stays = servers.iter().any(|server| *server.name == **name);
            if !stays {
                tracing::info!(upstream = &*pool.name, server = name, "server gone");
                token.cancel();
            }
            stays
        });
        let fresh: Vec<Arc<Server>> =
            servers.iter().filter(|server| !tokens.contains_key(&*server.name)).cloned().collect();
        pool.set_servers(servers);
        let (unseen, mut first) = watch::channel(fresh.len());
        for server in fresh {
            let token = stop.child_token();
            tokens.insert(server.name.to_string(), token.clone());
            checkers.spawn(health::watch(pool.clone(), server, token, one_less(&unseen)));
        }
        if let Some(first_pass) = first_pass.take() {
            none_left(&mut first).await;
            first_pass();
        }
        while checkers.try_join_next().is_some() {}
        let follows_names = settings.servers.iter().any(|spec| matches!(spec.target, Target::Name { .. }));
        let pause = async {
            if follows_names {
                tokio::time::sleep(settings.raw.resolve_every.get()).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = pause => {}
            () = pool.changed.notified() => {}
            () = stop.cancelled() => break,
        }
    }
    for token in tokens.values() {
        token.cancel();
    }
    while checkers.join_next().await.is_some() {}
}

/// The servers that `settings` mean just now; one that is known already stays the same object.
async fn resolve(
    pool: &Pool,
    settings: &PoolSettings,
    known: &mut BTreeMap<String, Vec<Address>>,
) -> Vec<Arc<Server>> {
    let current = pool.servers();
    let mut servers: Vec<Arc<Server>> = Vec::new();
    for spec in &settings.servers {
        let addresses = match &spec.target {
            Target::Fixed(address) => vec![address.clone()],
            Target::Name { host, port } => {
                let name = format!("{host}:{port}");
                match timeout(LOOKUP_LIMIT, settings.resolver.addresses(host, *port)).await {
                    Ok(Ok(found)) => {
                        let found: Vec<Address> = found.into_iter().map(Address::Tcp).collect();
                        known.insert(name, found.clone());
                        found
                    }
                    // A name server that is away takes no server out: the last answer stands.
                    Ok(Err(_)) | Err(_) => known.get(&name).cloned().unwrap_or_default(),
                }
            }
        };
        for address in addresses {
            let same = |server: &&Arc<Server>| {
                server.address == address && server.weight == spec.weight && server.backup == spec.backup
            };
            if servers.iter().any(|server| server.address == address) {
                continue;
            }
            servers.push(
                current
                    .iter()
                    .find(same)
                    .cloned()
                    .unwrap_or_else(|| Arc::new(Server::new(address.clone(), spec.weight, spec.backup))),
            );
        }
    }
    servers
}
