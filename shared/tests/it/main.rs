//! The shared crate through the doors that programs use: a real database of either kind, a real HTTP service.
//!
//! | file | what belongs there |
//! |---|---|
//! | `database.rs` | opening, migrating, transactions, errors; every test on SQLite and PostgreSQL |
//! | `service.rs` | what every service answers by itself: health, problems, request ids, description, shutdown |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod database;
mod service;
