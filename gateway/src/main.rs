//! The gateway as a program of its own. See `lib.rs`.

use std::process::ExitCode;

use clap::Parser;
use irongate_gateway::{Args, cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "irongate-gateway", version, about = "Irongate's edge gateway")]
struct Program {
    #[command(flatten)]
    args: Args,
}

fn main() -> ExitCode {
    cli(Program::parse().args)
}
