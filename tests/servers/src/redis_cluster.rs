//! A cluster of Redis, private to one test.

use std::process::Command;
use std::time::Duration;

use crate::redis::Redis;
use crate::wait::comes_true;
use crate::{free_port, wait_until};

/// As many as a cluster needs in which any one may die: three that share the slots, and a copy of each.
const NODES: usize = 6;

/// How long nodes wait for one of theirs before they replace it.
const NODE_TIMEOUT_MS: &str = "4000";

const LIMIT: Duration = Duration::from_secs(60);

/// Six servers in one cluster, each at a loopback port of its own.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts the servers, joins them, and waits until all of them say that the cluster is well.
    ///
    /// # Panics
    ///
    /// When Redis is not installed, or they do not become a cluster.
    pub fn start() -> Self {
        let nodes = (0..NODES)
            .map(|_| {
                let bus = free_port().to_string();
                Redis::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    NODE_TIMEOUT_MS,
                    // Else a master gathers copies for five seconds before it serves them.
                    "--repl-diskless-sync-delay",
                    "0",
                ])
            })
            .collect();
        let cluster = Self { nodes };
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())));
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let output = create.output().expect("run redis-cli");
        assert!(output.status.success(), "{create:?}:\n{}", String::from_utf8_lossy(&output.stdout));
        cluster.is_whole();
        cluster
    }

    /// As `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        let mut addresses = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        let first = addresses.next().unwrap_or_default();
        let others: Vec<_> = addresses.map(|address| format!("node={address}")).collect();
        format!("redis+cluster://{first}?{}", others.join("&"))
    }

    /// Waits until three nodes have all slots between them, each followed by one other, and all know it. A copy that has
    /// not caught up could not take anybody's place.
    ///
    /// # Panics
    ///
    /// When that does not come.
    pub fn is_whole(&self) {
        wait_until("the cluster of Redis to be whole", LIMIT, || {
            (0..NODES)
                .all(|number| self.sees(number) == Some((NODES / 2, NODES / 2)) && self.has_caught_up(number))
        });
    }

    /// Waits until the copy of a node that was stopped has taken its place, and all others know it. How long that takes
    /// is up to Redis: an election may have to be held again.
    ///
    /// # Panics
    ///
    /// When that does not come.
    pub fn has_replaced(&self, stopped: usize) {
        wait_until("the stopped node to be replaced", LIMIT, || {
            let mut others = (0..NODES).filter(|number| *number != stopped);
            others.all(|number| self.sees(number).is_some_and(|(masters, _)| masters == NODES / 2))
        });
    }

    /// A master has nobody to catch up with.
    fn has_caught_up(&self, number: usize) -> bool {
        let replication = self.ask(number, "info replication");
        replication.contains("role:master") || replication.contains("master_link_status:up")
    }

    /// How many masters and copies a node is connected to, itself among them, when it takes the cluster for well.
    fn sees(&self, number: usize) -> Option<(usize, usize)> {
        let nodes = self.ask(number, "cluster nodes");
        let up = |role: &str| {
            let lines = nodes.lines().filter(|line| !line.contains("fail"));
            lines.filter(|line| line.contains(role) && line.contains(" connected")).count()
        };
        let is_well = self.ask(number, "cluster info").contains("cluster_state:ok");
        is_well.then(|| (up("master"), up("slave")))
    }

    /// The node that has the slot of `key`.
    ///
    /// # Panics
    ///
    /// When none has it.
    pub fn node_of(&self, key: &str) -> usize {
        let mut found = None;
        comes_true(LIMIT, || {
            found = (0..NODES).find(|number| self.has(*number, key));
            found.is_some()
        });
        found.expect("a node has the slot")
    }

    /// Whether a node says of itself that it has the slot of `key`.
    fn has(&self, number: usize, key: &str) -> bool {
        let Ok(slot) = self.slot(number, key).parse::<u16>() else { return false };
        let nodes = self.ask(number, "cluster nodes");
        let Some(own) = nodes.lines().find(|line| line.contains("myself,master")) else { return false };
        own.split(' ').skip(8).any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<u16>().ok();
            number(first).zip(number(last)).is_some_and(|(first, last)| (first..=last).contains(&slot))
        })
    }

    /// Gives the slot of `key`, in which nothing is stored, to another node.
    ///
    /// # Panics
    ///
    /// When a node does not obey.
    pub fn move_slot_of(&self, key: &str) {
        let from = self.node_of(key);
        let slot = self.slot(from, key);
        let to = (0..NODES)
            .find(|number| *number != from && self.ask(*number, "cluster nodes").contains("myself,master"));
        let to = to.expect("there is another");
        let name = self.ask(to, "cluster myid");
        // The new one first, so that nobody is sent in a circle.
        for number in [to, from] {
            assert_eq!(self.ask(number, &format!("cluster setslot {slot} node {name}")), "+OK");
        }
        wait_until("the slot to have moved", LIMIT, || self.has(to, key) && !self.has(from, key));
    }

    fn slot(&self, number: usize, key: &str) -> String {
        self.ask(number, &format!("cluster keyslot {key}")).trim_start_matches(':').to_owned()
    }

    /// Stops one node; after a while its copy takes its place.
    pub fn stop(&self, number: usize) {
        self.node(number).stop();
    }

    /// Starts a node again, which follows whoever took its place.
    pub fn start_again(&self, number: usize) {
        self.node(number).start_again();
    }

    fn node(&self, number: usize) -> &Redis {
        self.nodes.get(number).expect("there are six")
    }

    /// A node's answer; nothing when it gives none.
    fn ask(&self, number: usize, command: &str) -> String {
        self.node(number).ask(command).unwrap_or_default()
    }
}
