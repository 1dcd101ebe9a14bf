//! `just bench`. See `lib.rs`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    irongate_shared::install_crypto_provider();
    irongate_bench::run(irongate_bench::Program::parse())
}
