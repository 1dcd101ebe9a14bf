//! Settings of user-svc, read from `IRONGATE_USER__…`.

use irongate_shared::config::{Listen, ListenOrOff, Network, Period};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the API is served.
    pub listen: Listen,
    /// Where `/metrics` is served; `off` for nowhere.
    pub metrics: ListenOrOff,
    /// Threads that serve requests.
    pub workers: usize,
    pub database_connections: u32,
    /// Addresses or networks of gateways whose `X-Forwarded-For` is believed; loopback always is.
    pub trusted_proxies: Vec<Network>,
    /// Passwords are hashed in 2^this rounds.
    pub bcrypt_cost: u32,
    /// Threads that hash passwords.
    pub hash_threads: usize,
    /// Registrations that may wait for them; more are answered 503.
    pub hash_queue: usize,
    /// How long a deleted account can still be brought back before it is erased for good.
    pub deleted_kept: Period,
}

impl Settings {
    /// Of the environment variables.
    pub const PREFIX: &'static str = "IRONGATE_USER";
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            listen: Listen::Tcp(([127, 0, 0, 1], 7002).into()),
            metrics: ListenOrOff(Some(Listen::Tcp(([127, 0, 0, 1], 9102).into()))),
            workers: 2,
            database_connections: 8,
            trusted_proxies: Vec::new(),
            bcrypt_cost: 12,
            hash_threads: cores,
            hash_queue: 16,
            deleted_kept: Period::from_secs(30 * 86_400),
        }
    }
}
