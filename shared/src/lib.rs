//! What all of Irongate's programs must do *identically*, and nothing else.
//!
//! The way through it, in the order in which a program meets it at start:
//!
//! | module | what it decides |
//! |---|---|
//! | [`config`] | how settings are typed, read, overridden and refused |
//! | [`telemetry`] | what a log line looks like |
//! | [`traces`] | how the time of a request is told to a collector |
//! | [`db`] | one code base over SQLite and PostgreSQL, migrations, when to retry |
//! | [`token`] | whether a token is valid at this moment |
//! | [`account`] | how a user looks to clients and to the other services, and when two names are one |
//! | [`password`] | which passwords are accepted, and how hashing them starves nobody |
//! | [`peer`] | how a service asks another, through the gateway |
//! | [`outbox`] | how a service tells another, surely and in order |
//! | [`service`] | how an actix service starts, answers and stops |
//! | [`health`] | what `/health` says |
//! | [`problem`] | what an error looks like to a client |
//!
//! [`clock`], [`id`] and [`secret`] are the small types that these share.
//!
//! What merely looks alike in two programs stays apart in those programs.

pub mod account;
pub mod clock;
pub mod config;
pub mod db;
#[cfg(test)]
mod fuzzing;
pub mod health;
pub mod id;
pub mod outbox;
pub mod password;
pub mod peer;
pub mod problem;
pub mod secret;
pub mod service;
pub mod telemetry;
pub mod token;
pub mod traces;

/// The version of the whole system; the crates share it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Makes aws-lc-rs the process's one TLS provider.
///
/// Every `main` and every test harness calls this before anything else: two providers are compiled in (Pingora
/// brings ring), and with none installed rustls panics at the first configuration it builds.
pub fn install_crypto_provider() {
    // An error means that one is installed already, by an earlier call in the same process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
