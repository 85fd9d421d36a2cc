//! Parses the arguments and runs one command.

use std::process::ExitCode;

use clap::Parser as _;

/// A request allocates about a hundred times, and memory is often freed on another thread: mimalloc is fast at both.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sojourn::commands::run(sojourn::commands::Arguments::parse())
}
