//! chat-svc's own settings: `IRONGATE_CHAT__…`.

use irongate_shared::config::{ConfigError, Listen, ListenOrOff, Period};
use serde::{Deserialize, Serialize};

/// As typed. What all services share (database, Redis, gateway) is in [`irongate_shared::config::Platform`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the API is served.
    pub listen: Listen,
    /// Where `/metrics` is served: an address, or `off`.
    pub metrics: ListenOrOff,
    /// Threads that serve connections. `0`: one per processor.
    pub workers: usize,
    /// Connections to the database for reading; writing has its own.
    pub database_connections: u32,
    /// Threads that write, each with a connection. SQLite always has one: it takes one writer at a time.
    pub write_lanes: usize,
    /// Origins that may open WebSockets, besides the gateway's and the page's own: `["https://app.example.org"]`.
    pub allowed_origins: Vec<String>,
    /// How often an open connection shows that it lives.
    pub heartbeat: Period,
    pub limits: Limits,
}

/// What one client, user or replica may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// WebSockets of one replica; more are answered 503.
    pub sockets: usize,
    /// WebSockets of one user at one replica.
    pub sockets_per_user: usize,
    /// Rooms that one WebSocket follows.
    pub rooms_per_socket: usize,
    /// Frames per second from one WebSocket; twice as many at once.
    pub frames_per_second: u32,
    /// Messages per second of one user in one room; twice as many at once.
    pub messages_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(([127, 0, 0, 1], 7003).into()),
            metrics: ListenOrOff(Some(Listen::Tcp(([127, 0, 0, 1], 9103).into()))),
            workers: 0,
            database_connections: 8,
            write_lanes: 4,
            allowed_origins: Vec::new(),
            heartbeat: Period::from_secs(25),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 25_000,
            sockets_per_user: 10,
            rooms_per_socket: 500,
            frames_per_second: 20,
            messages_per_second: 5,
        }
    }
}

impl Settings {
    /// Of the environment variables.
    pub const PREFIX: &'static str = "IRONGATE_CHAT";

    /// # Errors
    /// What cannot be right, all of it.
    pub(crate) fn check(&self) -> Result<(), irongate_shared::config::ConfigErrors> {
        let mut mistakes = Vec::new();
        let mut refuse = |name: &str, why: &str| {
            mistakes.push(ConfigError::new(format!("IRONGATE_CHAT__{name}"), why));
        };
        if self.database_connections == 0 {
            refuse("DATABASE_CONNECTIONS", "needs at least 1");
        }
        if self.write_lanes == 0 {
            refuse("WRITE_LANES", "needs at least 1");
        }
        if self.heartbeat.get() < std::time::Duration::from_secs(1) {
            refuse("HEARTBEAT", "needs at least 1s");
        }
        if self.limits.frames_per_second == 0 {
            refuse("LIMITS__FRAMES_PER_SECOND", "needs at least 1");
        }
        if self.limits.messages_per_second == 0 {
            refuse("LIMITS__MESSAGES_PER_SECOND", "needs at least 1");
        }
        for origin in &self.allowed_origins {
            let fits = url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !fits {
                refuse("ALLOWED_ORIGINS", &format!("`{origin}` is no origin; write https://app.example.org"));
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(irongate_shared::config::ConfigErrors(mistakes)) }
    }
}
