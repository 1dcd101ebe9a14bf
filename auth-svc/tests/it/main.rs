//! auth-svc as its users meet it: over HTTP, with user-svc beside it, on both databases.
//!
//! One file per subject, named as the module that decides it. What needs only user-svc is tested there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod audit;
mod clients;
mod email;
mod mfa;
mod passkey;
mod password;
mod redis;
mod refresh;
mod session;
mod sign_in;
mod smtp;
mod throttle;
mod token;
mod walkthrough;
