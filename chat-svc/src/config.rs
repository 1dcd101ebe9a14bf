//! chat-svc's own settings: `IRONGATE_CHAT__…`.

use std::path::PathBuf;

use irongate_shared::{
    config::{ByteSize, ConfigError, Listen, ListenOrOff, Period},
    secret::Secret,
};
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
    pub attachments: Attachments,
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
    /// Files per second of one user; twenty times as many at once.
    pub uploads_per_second: u32,
}

/// Files in messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attachments {
    /// Where they are kept: `directory` is below the data directory, for replicas on one machine; `s3` is an
    /// S3-compatible store, for replicas on several.
    pub store: Store,
    /// The largest file. The gateway's route has a limit of its own.
    pub max_size: ByteSize,
    /// All files that one user keeps.
    pub per_user: ByteSize,
    /// How long an upload may wait to be sent in a message before it is deleted.
    pub unsent_for: Period,
    pub s3: S3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    Directory,
    S3,
}

/// The S3-compatible store. The bucket exists, and only chat-svc writes into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// `https://s3.eu-central-1.amazonaws.com`, `http://minio:9000`.
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: Option<Secret<String>>,
    /// A file that holds the secret key; instead of `secret_key`.
    pub secret_key_file: Option<PathBuf>,
    /// The bucket in the path (most stores of one's own) rather than in the host name (Amazon's).
    pub path_style: bool,
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
            attachments: Attachments::default(),
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
            uploads_per_second: 1,
        }
    }
}

impl Default for Attachments {
    fn default() -> Self {
        Self {
            store: Store::Directory,
            max_size: ByteSize::mib(25),
            per_user: ByteSize::mib(1024),
            unsent_for: Period::from_secs(86_400),
            s3: S3::default(),
        }
    }
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            access_key: String::new(),
            secret_key: None,
            secret_key_file: None,
            path_style: true,
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
        if self.limits.uploads_per_second == 0 {
            refuse("LIMITS__UPLOADS_PER_SECOND", "needs at least 1");
        }
        if self.attachments.unsent_for.get() < std::time::Duration::from_secs(60) {
            refuse("ATTACHMENTS__UNSENT_FOR", "needs at least 1m: a message is still being written");
        }
        let S3 { endpoint, bucket, access_key, secret_key, secret_key_file, .. } = &self.attachments.s3;
        if self.attachments.store == Store::S3 {
            if !url::Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
                refuse("ATTACHMENTS__S3__ENDPOINT", "is no web address; write https://s3.example.org");
            }
            for (name, value) in [("BUCKET", bucket), ("ACCESS_KEY", access_key)] {
                if value.is_empty() {
                    refuse(&format!("ATTACHMENTS__S3__{name}"), "is needed for the store `s3`");
                }
            }
            if secret_key.is_some() == secret_key_file.is_some() {
                refuse(
                    "ATTACHMENTS__S3__SECRET_KEY",
                    "or SECRET_KEY_FILE is needed for the store `s3`, one of them",
                );
            }
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
