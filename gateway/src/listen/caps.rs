//! How many connections there may be, in all and per address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::config::Limits;

#[derive(Default)]
pub(crate) struct ConnectionCaps(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
pub(crate) struct Place<'c> {
    caps: &'c ConnectionCaps,
    address: IpAddr,
}

impl ConnectionCaps {
    /// A place for a connection from `address`, or `None` when there are too many: the connection is
    /// dropped before it costs a handshake.
    pub(crate) fn admit(&self, address: IpAddr, limits: &Limits) -> Option<Place<'_>> {
        let mut counts = self.lock();
        let own = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= limits.connections || own >= limits.connections_per_address {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, own + 1);
        Some(Place { caps: self, address })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.caps.lock();
        counts.all -= 1;
        let left = counts.by_address.get(&self.address).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            counts.by_address.remove(&self.address);
        } else {
            counts.by_address.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let caps = ConnectionCaps::default();
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let (a, b): (IpAddr, IpAddr) = ("1.1.1.1".parse().unwrap(), "2.2.2.2".parse().unwrap());
        let first = caps.admit(a, &limits).unwrap();
        let _second = caps.admit(a, &limits).unwrap();
        assert!(caps.admit(a, &limits).is_none(), "two of one address");
        let _third = caps.admit(b, &limits).unwrap();
        assert!(caps.admit(b, &limits).is_none(), "three in all");
        drop(first);
        assert!(caps.admit(b, &limits).is_some());
        assert_eq!(caps.lock().by_address.len(), 2);
    }
}
