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
//! | [`measures`] | figures that are no rate: memory, disk, cleaning up, tracking |
//! | [`growth`] | the same at several sizes, drawn |
//! | [`report`] | tables |

mod cases;
mod database;
mod fixture;
mod growth;
mod hello;
mod load;
mod measures;
mod population;
mod report;
mod run;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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

/// Options of a measurement.
#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// The server's binary
    #[arg(long)]
    server: PathBuf,
    /// The folder of PostgreSQL's programs
    #[arg(long)]
    postgres_programs: PathBuf,
    /// The port of a cluster on the loopback, with a superuser postgres who needs no password
    #[arg(long)]
    postgres_port: u16,
    /// The process id of the postmaster
    #[arg(long)]
    postgres_process: i32,
    /// Number of sessions: a multiple of 1000
    #[arg(long, default_value_t = 1_000_000, value_parser = sessions)]
    sessions: u64,
    /// Seconds for which each case is measured in a round
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Number of rounds; the medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Only what has one of these in its name
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measures SQLite, without a limit to compare with
    #[arg(long)]
    sqlite: bool,
    /// The growth of times with the number of sessions: writes bench/growth.json and bench/growth.svg
    #[arg(long)]
    growth: bool,
    /// The numbers of sessions for --growth
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000], value_parser = sessions)]
    sizes: Vec<u64>,
    /// Folder for the report, as Markdown and as JSON
    #[arg(long)]
    output: PathBuf,
}

impl Options {
    /// Whether the case or figure of this name is to be measured.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }
}

/// A number of sessions that divides into equal classes of sessions and users.
fn sessions(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().map_err(|error| error.to_string())?;
    let fits = (10_000..=100_000_000).contains(&number) && number.is_multiple_of(1000);
    if fits { Ok(number) } else { Err("must be a multiple of 1000, from 10000 to 100000000".to_owned()) }
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
            report::tell(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
