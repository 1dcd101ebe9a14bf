//! The shared crate through the doors that programs use: a real database of either kind, a real HTTP service.
//!
//! | file | what belongs there |
//! |---|---|
//! | `database.rs` | opening, migrating, transactions, errors; every test on SQLite and PostgreSQL |
//! | `token.rs` | which tokens a process accepts while database and Redis come and go, and what that asks of them |
//! | `service.rs` | what every service answers by itself: health, problems, request ids, description, shutdown |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod database;
mod service;
mod token;
