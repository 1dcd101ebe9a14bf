//! Settings of auth-svc, read from `IRONGATE_AUTH__…`.

use irongate_shared::{
    config::{Listen, ListenOrOff, Network, Period},
    secret::Secret,
};
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
    /// Passwords are hashed in 2^this rounds; hashes of fewer are made anew at the next sign-in.
    pub bcrypt_cost: u32,
    /// Threads that hash passwords.
    pub hash_threads: usize,
    /// Sign-ins that may wait for them; more are answered 429.
    pub hash_queue: usize,
    /// How long an access token is valid.
    pub access_lifetime: Period,
    /// How long a refresh token is valid; each use gives a new one, so this is how long a session may rest.
    pub refresh_lifetime: Period,
    /// For how long a replaced refresh token still gives its successor: two tabs that refresh at once, an answer
    /// that got lost. Later it is taken for stolen.
    pub refresh_grace: Period,
    /// How many sessions a user may have; a further one ends the oldest.
    pub sessions_per_user: u32,
    /// How long a key signs tokens before the next one does.
    pub key_rotation: Period,
    /// How long the audit log is kept.
    pub audit_retention: Period,
    /// The domain that passkeys are bound to: the host of the gateway's address, when not said, or one above it. A
    /// change makes all passkeys worthless.
    pub passkey_domain: Option<String>,
    /// Further addresses at which browsers may use them, like `https://www.example.org`; the gateway's always is one.
    pub passkey_origins: Vec<String>,
    /// The mail server, `smtps://user:password@host`; without one, mails are written to files in `outbox` below the
    /// data directory.
    pub smtp_url: Option<Secret<String>>,
    /// Who mails come from; `Irongate <no-reply@host of the gateway>` when not said.
    pub mail_from: Option<String>,
}

impl Settings {
    /// Of the environment variables.
    pub const PREFIX: &'static str = "IRONGATE_AUTH";

    /// OWASP's least for bcrypt.
    const LEAST_COST: u32 = 10;

    /// Says what an operator should know of settings that tests may have and production should not.
    pub(crate) fn warn(&self) {
        if self.bcrypt_cost < Self::LEAST_COST {
            tracing::warn!(
                cost = self.bcrypt_cost,
                least = Self::LEAST_COST,
                "passwords are hashed too cheaply for production; raise IRONGATE_AUTH__BCRYPT_COST"
            );
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let days = |days: u64| Period::from_secs(days * 86_400);
        Self {
            listen: Listen::Tcp(([127, 0, 0, 1], 7001).into()),
            metrics: ListenOrOff(Some(Listen::Tcp(([127, 0, 0, 1], 9101).into()))),
            workers: 2,
            database_connections: 8,
            trusted_proxies: Vec::new(),
            bcrypt_cost: 12,
            hash_threads: cores,
            hash_queue: 16,
            access_lifetime: Period::from_secs(600),
            refresh_lifetime: days(30),
            refresh_grace: Period::from_secs(30),
            sessions_per_user: 50,
            key_rotation: days(30),
            audit_retention: days(365),
            passkey_domain: None,
            passkey_origins: Vec::new(),
            smtp_url: None,
            mail_from: None,
        }
    }
}
