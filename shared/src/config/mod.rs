//! Settings: typed, read once at start, every mistake named with its place.
//!
//! One rule for every program. A settings type is a struct with `#[serde(deny_unknown_fields, default)]` whose
//! `Default` is what runs when nobody says anything. [`load()`] lays a file over it and the environment over that:
//! `IRONGATE_CHAT__LISTEN` sets `listen` of chat-svc, `__` goes one table deeper. What every program shares
//! ([`Platform`]: data directory, database, Redis, gateway) has names of its own.
//!
//! Where a variable would hold a secret, the same name with `_FILE` may name a file that holds it.
//!
//! The environment is an argument ([`Env`]) and never read elsewhere, so tests set it without touching the process.

mod env;
mod error;
mod load;
mod network;
mod platform;
pub mod redis_url;
mod values;

pub use env::{Env, ProcessEnv};
pub use error::{ConfigError, ConfigErrors};
pub use load::{Loaded, Source, load};
pub use network::Network;
pub use platform::{DatabaseUrl, LogFormat, Platform};
pub use values::{ByteSize, Listen, ListenOrOff, Period};
