//! One code base over SQLite and PostgreSQL.
//!
//! Queries are written once against [`Db`]; [`on_inner!`](crate::on_inner) opens it up for the few that diesel's
//! multi-backend cannot say (upserts, batch inserts). [`Database`] lends connections and keeps the blocking work off
//! the event loops: at most as many threads wait for the database as there are connections.
//!
//! ```text
//! handler ── database.read(|db| store::user_by_name(db, name)).await
//!         └─ database.write(|db| { …; … }).await      one transaction, BEGIN IMMEDIATE on SQLite
//! ```

mod connection;
mod error;
mod migrate;
mod pool;

pub use connection::{Db, MultiBackend};
pub use error::{DbError, Violation, violation};
pub(crate) use pool::CHECKOUT_WAIT;
pub use pool::Database;
