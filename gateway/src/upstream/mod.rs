//! The services behind the gateway: which servers there are, which of them may be asked, which one is.
//!
//! Health and counters live here, outside the snapshot, keyed by upstream and address: a reload resets
//! nothing. One task per upstream follows names and starts a checker per server
//! ([`upkeep`]); the request path only reads atomics.

mod balance;
pub(crate) mod connection;
mod dns;
mod health;
mod pool;
pub(crate) mod retry;
mod server;
mod upkeep;

pub(crate) use connection::Dial;
pub(crate) use dns::Resolver;
#[cfg(test)]
pub(crate) use dns::fuzz as fuzz_dns;
pub(crate) use pool::{HashOn, Lease, Pool, PoolSettings};
pub(crate) use server::{Address, Health, Server, ServerSpec};
pub(crate) use upkeep::Registry;
