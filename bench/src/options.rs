//! The command line.

use std::path::PathBuf;

/// Options of a measurement.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The server's binary
    #[arg(long)]
    pub server: PathBuf,
    /// The folder of PostgreSQL's programs
    #[arg(long)]
    pub postgres_programs: PathBuf,
    /// The port of a cluster on the loopback, with a superuser postgres who needs no password
    #[arg(long)]
    pub postgres_port: u16,
    /// The process id of the postmaster
    #[arg(long)]
    pub postgres_process: i32,
    /// Number of sessions: a multiple of 1000
    #[arg(long, default_value_t = 1_000_000, value_parser = sessions)]
    pub sessions: u64,
    /// Seconds for which each case is measured in a round
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Number of rounds; the medians count
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Only what has one of these in its name
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Measures SQLite, without a limit to compare with
    #[arg(long)]
    pub sqlite: bool,
    /// The growth of times with the number of sessions: writes bench/growth.json and bench/growth.svg
    #[arg(long)]
    pub growth: bool,
    /// The numbers of sessions for --growth
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000], value_parser = sessions)]
    pub sizes: Vec<u64>,
    /// Folder for the report, as Markdown and as JSON
    #[arg(long)]
    pub output: PathBuf,
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
