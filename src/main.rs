//! Parses the arguments and runs one command.

use std::process::ExitCode;

use clap::Parser as _;

/// A request takes and gives back memory about a hundred times, often on another thread, which is what this one is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sojourn::commands::run(sojourn::commands::Arguments::parse())
}
