//! Parses the arguments and runs one command.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    sojourn::commands::run(sojourn::commands::Arguments::parse())
}
