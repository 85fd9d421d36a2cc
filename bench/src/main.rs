//! Measures Sojourn against the limit of its database. Cases, method and goals are described in `README.md`.
//!
//! | room | what lives there |
//! |---|---|
//! | [`population`] | the sessions in the table, each known by its number |
//! | [`database`] | PostgreSQL and SQLite: filling, measuring the limit, restoring |
//! | [`server`] | the server as a process of its own, and its processor time and memory |
//! | [`load`] | requests over many connections, and the durations of their answers |
//! | [`fixture`] | prepared credentials and requests |
//! | [`cases`] | requests, the limit that they are compared with, and the goals |
//! | [`measuring`] | one case, with its limit |
//! | [`run`] | all cases, round by round |
//! | [`measures`] | figures that are no rate: memory, disk, cleaning up, tracking |
//! | [`growth`] | the same at several sizes, drawn |
//! | [`report`] | tables |
//! | [`options`], [`output`] | the command line, and lines for the terminal |

mod cases;
mod database;
mod fixture;
mod growth;
mod hello;
mod load;
mod measures;
mod measuring;
mod options;
mod output;
mod population;
mod report;
mod run;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use options::Options;

/// Measures the server against the limit of its database.
#[derive(Debug, Parser)]
#[command(name = "bench/run", subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    run: Option<Options>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves one JSON answer, to compare with
    Hello,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (arguments.command, arguments.run) {
        (Some(Command::Hello), _) => {
            // The server's kind of runtime.
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(hello::serve()))
        }
        (None, Some(options)) => {
            // One thread makes the load, as in other programs for load.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(anyhow::Error::from).and_then(|runtime| {
                runtime.block_on(async {
                    if options.growth { growth::run(&options).await } else { run::run(&options).await }
                })
            })
        }
        (None, None) => Err(anyhow::anyhow!("nothing to measure")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::tell(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
