//! user-svc as its users meet it: over HTTP, with auth-svc beside it for signing in, on both databases.
//!
//! One file per subject of the API.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod admin;
mod avatar;
mod events;
mod me;
mod register;
mod users;
