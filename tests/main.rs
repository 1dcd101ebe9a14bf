//! The whole system through its real ports: the command `irongate up`, its four programs, TLS, and a browser.
//!
//! | file | what belongs there |
//! |---|---|
//! | `start_stop.rs` | what a person at the terminal sees: start, stop, refusals, the first administrator |
//! | `edge.rs` | what any HTTP client sees at the two ports: redirect, certificate, health, problem answers |
//! | `journey.rs` | people through the API: register, sign in, rooms, messages; on both databases |
//! | `live.rs` | the chat's WebSockets: replicas replaced one by one, ends within a second, the Autobahn cases |
//! | `replicas.rs` | two processes of auth-svc and user-svc on one database behave as one |
//! | `contract.rs` | what the OpenAPI documents say is what the system does |
//! | `faults/` | something breaks: what goes on, what says so, what comes back, and that nothing is lost |
//! | `spares.rs` | more than one of a part: a standby of PostgreSQL, two gateways |
//! | `rolling.rs` | two versions of the services at once, over the next version's database |
//! | `secrets.rs` | that no log line holds a secret |
//! | `deployed.rs` | a system that runs already, in containers: `deploy/try-compose` runs these; see there |
//! | `browser/` | what a person sees in Chromium |
//! | `operators.rs` | that rules, dashboard and manual for operators fit the programs |
//! | `dependencies.rs` | that what we depend on is under licences that we allow |
//! | `documents.rs` | that README and `docs/` name only what is there |
//! | `support/` | the system under test and the people in front of it, in the field's own verbs |
//!
//! What one service does by itself is tested in that service's crate. Tests run side by side: each starts a system
//! of its own on free ports over its own data, and its end fails if a process is left.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod browser;
mod contract;
mod dependencies;
mod deployed;
mod documents;
mod edge;
mod faults;
mod journey;
mod live;
mod operators;
mod replicas;
mod rolling;
mod secrets;
mod spares;
mod start_stop;
mod support;
