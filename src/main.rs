//! `irongate`: the command a person types. [`cli`] reads it, [`up`] starts the whole system.

mod cli;
mod create_admin;
mod invocation;
mod trust;
mod up;

use std::process::ExitCode;

use clap::Parser;

// Four programs of many small, short-lived allocations; all of them run from this binary under `irongate up`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    irongate_shared::install_crypto_provider();
    cli::Cli::parse().run()
}
