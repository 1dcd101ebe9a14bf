//! The gateway as a process, through its real ports, in front of services that the tests write.
//!
//! `support/` starts both; each file here is one promise: what is refused, what is never lost, who is asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

mod acme;
mod admin;
mod compression;
mod configuration;
mod detection;
mod faults;
mod from_nginx;
mod full_lane;
mod hostile;
mod identity;
mod lanes;
mod lossless;
mod memory;
mod proxying;
mod static_files;
mod support;
mod tls;
mod traces;
mod websocket;
