//! Which of the servers that may be asked is asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::Server;
use crate::config::Balance;

/// Points on the ring for each unit of weight; more share keys more evenly.
const POINTS: u32 = 160;
/// The largest weight has so many times the points of weight 1 at most.
const WEIGHTS: u32 = 100;
/// Looks at servers one after the other may be in vain so often before all are looked at.
const TRIES: usize = 16;

/// Servers laid out so that picking one looks at a few of them, however many there are.
#[derive(Default)]
pub(super) struct Roster {
    servers: Vec<Arc<Server>>,
    /// The weights of each server and all before it, added up.
    weights: Vec<u64>,
    /// How far a turn goes on; shares no factor with the sum, so that each unit of weight has its turn once in a
    /// round, and near the golden section of it, so that a heavy server's turns do not come all at once.
    stride: u64,
    /// For `hash`: points in order, and which server each belongs to.
    ring: Vec<(u64, usize)>,
}

/// What a pick goes by.
pub(super) struct Choice<'c> {
    pub(super) method: Balance,
    /// Counts up with every look.
    pub(super) turn: &'c AtomicUsize,
    /// What `hash` goes by.
    pub(super) key: Option<u64>,
    pub(super) slow_start: Duration,
}

impl Roster {
    pub(super) fn new(servers: Vec<Arc<Server>>) -> Self {
        let mut sum = 0;
        let weights = servers.iter().map(|server| {
            sum += u64::from(server.weight);
            sum
        });
        let weights: Vec<u64> = weights.collect();
        let ring = ring(&servers);
        Self { servers, weights, stride: stride(sum), ring }
    }

    /// One of those that `admits` lets in.
    pub(super) fn pick(&self, choice: &Choice<'_>, admits: impl Fn(&Server) -> bool) -> Option<&Arc<Server>> {
        match (self.servers.as_slice(), choice.method, choice.key) {
            ([], ..) => None,
            ([only], ..) => Some(only).filter(|only| admits(only)),
            (_, Balance::RoundRobin, _) => self.by_turn(choice, &admits),
            (_, Balance::Hash, Some(key)) => self.by_key(key, &admits),
            (_, Balance::LeastRequest | Balance::Hash, _) => self.less_busy_of_two(choice, &admits),
        }
    }

    fn by_turn(&self, choice: &Choice<'_>, admits: &impl Fn(&Server) -> bool) -> Option<&Arc<Server>> {
        let total = self.weights.last().copied()?.max(1);
        let next = || {
            let turn = choice.turn.fetch_add(1, Relaxed) as u64;
            self.at(turn.wrapping_mul(self.stride) % total)
        };
        self.first_of(next, choice.slow_start, admits)
    }

    /// Two random choices (Mitzenmacher 2001): nearly as even as asking all, without the herd that
    /// "the least busy of all" makes of many gateways.
    fn less_busy_of_two(
        &self,
        choice: &Choice<'_>,
        admits: &impl Fn(&Server) -> bool,
    ) -> Option<&Arc<Server>> {
        let total = self.weights.last().copied()?.max(1);
        let one = || self.first_of(|| self.at(fastrand::u64(0..total)), choice.slow_start, admits);
        let (first, second) = (one()?, one()?);
        let load = |server: &Server| {
            let share = u64::from(server.weight * server.warmth(choice.slow_start)).max(1);
            server.in_flight.load(Relaxed) as u64 * 100_000 / share
        };
        Some(if load(second) < load(first) { second } else { first })
    }

    /// Consistent hashing (Karger 1997): when a server goes, only its own keys move.
    fn by_key(&self, key: u64, admits: &impl Fn(&Server) -> bool) -> Option<&Arc<Server>> {
        let key = mix(key);
        let from = self.ring.partition_point(|(point, _)| *point < key);
        let (before, after) = self.ring.split_at_checked(from)?;
        let owners = after.iter().chain(before).filter_map(|(_, owner)| self.servers.get(*owner));
        owners.into_iter().find(|server| admits(server))
    }

    /// The first that `next` names and that is let in. A server that warms up is passed over now and then. Where
    /// hardly any is let in, the search ends with a look at all.
    fn first_of<'r>(
        &'r self,
        next: impl Fn() -> Option<&'r Arc<Server>>,
        slow_start: Duration,
        admits: &impl Fn(&Server) -> bool,
    ) -> Option<&'r Arc<Server>> {
        let is_warm = |server: &Server| {
            let warmth = server.warmth(slow_start);
            warmth >= 100 || fastrand::u32(0..100) < warmth
        };
        let found = (0..TRIES).filter_map(|_| next()).find(|server| admits(server) && is_warm(server));
        found.or_else(|| {
            let from = fastrand::usize(0..self.servers.len().max(1));
            let (before, after) = self.servers.split_at_checked(from)?;
            after.iter().chain(before).find(|server| admits(server))
        })
    }

    /// The server to whom this unit of weight belongs.
    fn at(&self, point: u64) -> Option<&Arc<Server>> {
        self.servers.get(self.weights.partition_point(|sum| *sum <= point))
    }
}

fn stride(sum: u64) -> u64 {
    let golden = (sum as f64 * 0.618_034) as u64;
    (golden.max(1)..).find(|step| gcd(*step, sum) == 1).unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn ring(servers: &[Arc<Server>]) -> Vec<(u64, usize)> {
    let heaviest = servers.iter().map(|server| server.weight).max().unwrap_or(1).max(1);
    let mut ring: Vec<(u64, usize)> = Vec::new();
    for (nth, server) in servers.iter().enumerate() {
        let weight = server.weight * heaviest.min(WEIGHTS) / heaviest;
        let name = hash(server.name.as_bytes());
        let points = u64::from(weight.max(1) * POINTS);
        ring.extend((0..points).map(|point| (mix(name ^ mix(point)), nth)));
    }
    ring.sort_unstable();
    ring
}

/// FNV-1a; keys are short and no attacker gains from a collision here.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finalizer of SplitMix64.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::upstream::Address;

    fn servers(weights: &[u32]) -> Vec<Arc<Server>> {
        weights
            .iter()
            .enumerate()
            .map(|(n, weight)| {
                let address = Address::Tcp(format!("127.0.0.1:{}", 7000 + n).parse().unwrap());
                Arc::new(Server::new(address, *weight, false))
            })
            .collect()
    }

    fn choice(method: Balance, turn: &AtomicUsize, key: Option<u64>) -> Choice<'_> {
        Choice { method, turn, key, slow_start: Duration::ZERO }
    }

    fn spread(method: Balance, servers: &[Arc<Server>], key: impl Fn(usize) -> Option<u64>) -> Vec<usize> {
        let roster = Roster::new(servers.to_vec());
        let turn = AtomicUsize::new(0);
        let mut counts: BTreeMap<String, usize> =
            servers.iter().map(|server| (server.name.to_string(), 0)).collect();
        for nth in 0..10_000 {
            let picked = roster.pick(&choice(method, &turn, key(nth)), |_| true).unwrap();
            *counts.get_mut(&*picked.name).unwrap() += 1;
        }
        counts.into_values().collect()
    }

    #[test]
    fn equal_weights_share_equally_by_turn() {
        assert_eq!(spread(Balance::RoundRobin, &servers(&[1, 1]), |_| None), [5000, 5000]);
        assert_eq!(spread(Balance::RoundRobin, &servers(&[1; 5]), |_| None), [2000; 5]);
    }

    #[test]
    fn weights_are_kept_by_every_method() {
        assert_eq!(spread(Balance::RoundRobin, &servers(&[1, 3]), |_| None), [2500, 7500]);
        for method in [Balance::LeastRequest, Balance::Hash] {
            let counts = spread(method, &servers(&[1, 3]), |turn| {
                (method == Balance::Hash).then(|| hash(turn.to_string().as_bytes()))
            });
            let share = counts[1] as f64 / 10_000.0;
            assert!((0.70..0.90).contains(&share), "{method:?}: {counts:?}");
        }
    }

    #[test]
    fn a_turn_that_cannot_be_taken_goes_to_all_others_alike() {
        let servers = servers(&[1, 1, 1, 1]);
        let roster = Roster::new(servers.clone());
        let turn = AtomicUsize::new(0);
        let mut counts = BTreeMap::new();
        for _ in 0..9000 {
            let choice = choice(Balance::RoundRobin, &turn, None);
            let picked = roster.pick(&choice, |server| server.name != servers[1].name).unwrap();
            *counts.entry(picked.name.clone()).or_insert(0) += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [3000, 3000, 3000]);
    }

    #[test]
    fn when_a_server_goes_only_its_keys_move() {
        let servers = servers(&[1, 1, 1]);
        let roster = Roster::new(servers.clone());
        let turn = AtomicUsize::new(0);
        let without = Roster::new(servers[..2].to_vec());
        for key in (0..1000u64).map(|key| hash(&key.to_le_bytes())) {
            let choice = choice(Balance::Hash, &turn, Some(key));
            let before = roster.pick(&choice, |_| true).unwrap();
            if before.name != servers[2].name {
                assert_eq!(without.pick(&choice, |_| true).unwrap().name, before.name);
                let ejected = roster.pick(&choice, |server| server.name != servers[2].name).unwrap();
                assert_eq!(ejected.name, before.name);
            }
        }
    }

    #[test]
    fn the_busier_server_gets_less() {
        let servers = servers(&[1, 1]);
        servers[0].in_flight.store(50, Relaxed);
        let counts = spread(Balance::LeastRequest, &servers, |_| None);
        assert!(counts[0] < 3000 && counts[1] > 7000, "{counts:?}");
    }

    #[test]
    fn no_more_servers_are_looked_at_when_there_are_more() {
        let turn = AtomicUsize::new(0);
        for method in [Balance::RoundRobin, Balance::LeastRequest, Balance::Hash] {
            for count in [2, 8, 64] {
                let roster = Roster::new(servers(&vec![1; count]));
                let looks = AtomicUsize::new(0);
                for nth in 0..1000u64 {
                    let choice = choice(method, &turn, Some(hash(&nth.to_le_bytes())));
                    roster.pick(&choice, |_| looks.fetch_add(1, Relaxed) < usize::MAX).unwrap();
                }
                assert!(looks.into_inner() <= 2000, "{method:?} among {count}");
            }
        }
    }

    #[test]
    fn the_last_one_left_is_found() {
        let servers = servers(&[1; 64]);
        let roster = Roster::new(servers.clone());
        let turn = AtomicUsize::new(0);
        for method in [Balance::RoundRobin, Balance::LeastRequest, Balance::Hash] {
            for key in 0..50 {
                let choice = choice(method, &turn, Some(key));
                let picked = roster.pick(&choice, |server| server.name == servers[40].name);
                assert_eq!(picked.unwrap().name, servers[40].name);
                assert!(roster.pick(&choice, |_| false).is_none());
            }
        }
    }
}
