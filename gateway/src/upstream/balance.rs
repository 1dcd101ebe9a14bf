//! Which of the servers that may be asked is asked.

use std::{sync::Arc, time::Duration};

use super::Server;
use crate::config::Balance;

/// Picks among `candidates`; `turn` counts up with every pick, `key` is what `hash` goes by.
pub(super) fn pick<'s>(
    method: Balance,
    candidates: &[&'s Arc<Server>],
    turn: usize,
    key: Option<u64>,
    slow_start: Duration,
) -> Option<&'s Arc<Server>> {
    match (candidates, method) {
        ([], _) => None,
        ([only], _) => Some(only),
        (_, Balance::RoundRobin) => by_turn(candidates, turn, slow_start),
        (_, Balance::LeastRequest) => less_busy_of_two(candidates, slow_start),
        (_, Balance::Hash) => {
            key.map_or_else(|| less_busy_of_two(candidates, slow_start), |key| rendezvous(candidates, key))
        }
    }
}

fn share(server: &Server, slow_start: Duration) -> u64 {
    u64::from(server.weight * server.warmth(slow_start)).max(1)
}

fn by_turn<'s>(candidates: &[&'s Arc<Server>], turn: usize, slow_start: Duration) -> Option<&'s Arc<Server>> {
    let total: u64 = candidates.iter().map(|server| share(server, slow_start)).sum();
    // A stride that shares no factor with typical totals spreads equal weights one by one.
    let step = total / candidates.len() as u64;
    let mut point = (turn as u64).wrapping_mul(step.max(1)) % total.max(1);
    for server in candidates {
        let own = share(server, slow_start);
        if point < own {
            return Some(server);
        }
        point -= own;
    }
    candidates.first().copied()
}

/// Two random choices (Mitzenmacher 2001): nearly as even as asking all, without the herd that
/// "the least busy of all" makes of many gateways.
fn less_busy_of_two<'s>(candidates: &[&'s Arc<Server>], slow_start: Duration) -> Option<&'s Arc<Server>> {
    let first = by_chance(candidates, slow_start)?;
    let second = by_chance(candidates, slow_start)?;
    let load = |server: &Server| {
        let in_flight = server.in_flight.load(std::sync::atomic::Ordering::Relaxed) as u64;
        in_flight * 100_000 / share(server, slow_start)
    };
    Some(if load(second) < load(first) { second } else { first })
}

fn by_chance<'s>(candidates: &[&'s Arc<Server>], slow_start: Duration) -> Option<&'s Arc<Server>> {
    let total: u64 = candidates.iter().map(|server| share(server, slow_start)).sum();
    let mut point = fastrand::u64(0..total.max(1));
    for server in candidates {
        let own = share(server, slow_start);
        if point < own {
            return Some(server);
        }
        point -= own;
    }
    candidates.last().copied()
}

/// Highest random weight (Thaler and Ravishankar 1998): when a server goes, only its own keys move.
fn rendezvous<'s>(candidates: &[&'s Arc<Server>], key: u64) -> Option<&'s Arc<Server>> {
    candidates.iter().copied().max_by(|a, b| {
        let score = |server: &Server| {
            let mixed = mix(key ^ hash(server.name.as_bytes()));
            // -weight / ln(u): the weighted form of Schindelhauer and Schomaker.
            let unit = (mixed >> 11) as f64 / (1u64 << 53) as f64;
            -f64::from(server.weight) / unit.max(f64::MIN_POSITIVE).ln()
        };
        score(a).total_cmp(&score(b))
    })
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

    fn spread(method: Balance, servers: &[Arc<Server>], key: impl Fn(usize) -> Option<u64>) -> Vec<usize> {
        let candidates: Vec<&Arc<Server>> = servers.iter().collect();
        let mut counts: BTreeMap<String, usize> =
            servers.iter().map(|server| (server.name.to_string(), 0)).collect();
        for turn in 0..10_000 {
            let picked = pick(method, &candidates, turn, key(turn), Duration::ZERO).unwrap();
            *counts.get_mut(&*picked.name).unwrap() += 1;
        }
        counts.into_values().collect()
    }

    #[test]
    fn equal_weights_share_equally_by_turn() {
        assert_eq!(spread(Balance::RoundRobin, &servers(&[1, 1]), |_| None), [5000, 5000]);
    }

    #[test]
    fn weights_are_kept_by_every_method() {
        for method in [Balance::LeastRequest, Balance::Hash] {
            let counts = spread(method, &servers(&[1, 3]), |turn| {
                (method == Balance::Hash).then(|| hash(turn.to_string().as_bytes()))
            });
            let share = counts[1] as f64 / 10_000.0;
            assert!((0.70..0.90).contains(&share), "{method:?}: {counts:?}");
        }
    }

    #[test]
    fn when_a_server_goes_only_its_keys_move() {
        let servers = servers(&[1, 1, 1]);
        let all: Vec<&Arc<Server>> = servers.iter().collect();
        for key in (0..1000u64).map(|key| hash(&key.to_le_bytes())) {
            let before = rendezvous(&all, key).unwrap();
            if before.name != all[2].name {
                assert_eq!(rendezvous(&all[..2], key).unwrap().name, before.name);
            }
        }
    }

    #[test]
    fn the_busier_server_gets_less() {
        let servers = servers(&[1, 1]);
        servers[0].in_flight.store(50, std::sync::atomic::Ordering::Relaxed);
        let counts = spread(Balance::LeastRequest, &servers, |_| None);
        assert!(counts[0] < 3000 && counts[1] > 7000, "{counts:?}");
    }
}
