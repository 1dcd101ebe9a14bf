//! Puts the gateway beside NGINX, HAProxy, Caddy, Traefik and Envoy, all in one run on one machine.
//!
//! `just bench` builds the gateway, brings the peers and the load generators, and measures. The way through it:
//!
//! | module | what it decides |
//! |---|---|
//! | [`cli`] | what a person can choose |
//! | [`tools`] | which programs a run needs, and how missing ones are installed |
//! | [`stage`] | what all peers share: certificate, files, backend, ports, processors |
//! | [`peer`] | who is compared, and what each can do; their configurations are in `bench/peers/` |
//! | [`work`] | **the list of what is measured**, and with which generator |
//! | [`load`] | the generators: wrk, h2load, oha, and an own one where none of them fits |
//! | [`rounds`] | the order of measuring: warm up, then every peer in turn, several times |
//! | [`growth`] | what more connections, routes and servers cost, as plots |
//! | [`process`] | starting, pinning and stopping programs; their CPU time and memory |
//! | [`statistics`] | medians and paired ratios |
//! | [`report`] | the tables, and the file in `bench/results/` |
//!
//! The services have benches of their own: [`chat`] puts chat-svc beside Socket.IO and Django Channels (`just bench
//! chat`), [`services`] puts requests beside what they cost at the least (`just bench services`). They need PostgreSQL
//! and Redis, from [`servers`].
//!
//! The program also is its own backend and its own load generator (`irongate-bench backend`, `irongate-bench
//! load`), as processes of their own, so that each can be pinned to processors.
//!
//! What makes a comparison fair is written in `docs/performance.md`. A new peer is a line in [`peer::PEERS`] and
//! a file in `bench/peers/`; a new work is a line in [`work::WORKS`].

mod backend;
mod certificate;
mod chat;
mod cli;
mod growth;
mod load;
mod machine;
mod peer;
mod process;
mod report;
mod rounds;
mod servers;
mod services;
mod stage;
mod statistics;
mod tools;
mod work;

use std::process::ExitCode;

pub use cli::Program;

/// Runs what was asked for on the command line.
#[must_use]
pub fn run(program: Program) -> ExitCode {
    match cli::run(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
