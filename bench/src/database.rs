//! The two databases: filling, measuring the limit, and restoring after a case that writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::options::Options;
use crate::population::Population;

/// The folder of scripts for `psql` and `pgbench`.
const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql");
/// Triggers are off: filling and restoring must not be in the change log, and the limit is that of the table alone.
const WITHOUT_TRIGGERS: &str = "-c session_replication_role=replica";

/// Transactions a second that no client of pgbench reaches when it commits.
const MAX_PER_SECOND: u64 = 250;

/// A script of pgbench with its number of clients.
#[derive(Debug, Clone, Copy)]
pub struct LimitScript {
    /// The name of the file in `sql/pgbench`.
    pub name: &'static str,
    /// The number of clients.
    pub clients: u64,
    /// The number of transactions that the rows suffice for; `None` for any number.
    pub places: Option<fn(Population) -> u64>,
}

/// The database of one population.
#[derive(Debug)]
pub enum Database {
    /// A database of a PostgreSQL cluster.
    Postgres {
        /// The folder of PostgreSQL's programs.
        programs: PathBuf,
        /// The cluster's port.
        port: u16,
        /// The postmaster.
        process: i32,
        name: String,
    },
    /// A SQLite file.
    Sqlite {
        /// The file's folder, deleted with it.
        folder: tempfile::TempDir,
    },
}

impl Database {
    /// A new, empty database.
    pub fn create(options: &Options, name: &str) -> Result<Self> {
        if options.sqlite {
            return Ok(Self::Sqlite { folder: tempfile::tempdir()? });
        }
        let created = Self::Postgres {
            programs: options.postgres_programs.clone(),
            port: options.postgres_port,
            process: options.postgres_process,
            name: name.to_owned(),
        };
        created.program("createdb", &[name])?;
        Ok(created)
    }

    /// Deletes the database.
    pub fn delete(self) -> Result<()> {
        match &self {
            Self::Postgres { name, .. } => self.program("dropdb", &[name]).map(drop),
            Self::Sqlite { .. } => Ok(()),
        }
    }

    /// The database URL, for the server and for the library.
    pub fn url(&self) -> String {
        match self {
            Self::Postgres { port, name, .. } => format!("postgres://postgres@127.0.0.1:{port}/{name}"),
            Self::Sqlite { folder } => format!("sqlite://{}", folder.path().join("sojourn.db").display()),
        }
    }

    /// The postmaster; `None` for SQLite.
    pub fn process(&self) -> Option<i32> {
        match self {
            Self::Postgres { process, .. } => Some(*process),
            Self::Sqlite { .. } => None,
        }
    }

    /// Fills the tables, which the library has made.
    pub async fn fill(&self, population: Population) -> Result<()> {
        if let Self::Sqlite { .. } = self {
            self.sqlite(include_str!("../sql/fill_users.sqlite.sql"), population, 0).await?;
            return self.sqlite(include_str!("../sql/fill.sqlite.sql"), population, 0).await;
        }
        self.script("fill.sql", population, &[])
    }

    /// Adds sessions past their retention.
    pub async fn fill_stale(&self, population: Population, rows: u64) -> Result<()> {
        if let Self::Sqlite { .. } = self {
            return self.sqlite(include_str!("../sql/fill_stale.sqlite.sql"), population, rows).await;
        }
        self.script("fill_stale.sql", population, &[("rows", &rows.to_string())])
    }

    /// Gives one user many sessions.
    pub fn fill_crowd(&self, population: Population, rows: u64) -> Result<()> {
        self.script("fill_crowd.sql", population, &[("rows", &rows.to_string())])
    }

    /// Undoes the changes of a case. A SQLite file stays as it is, because it is not compared with a limit.
    pub fn restore(&self, population: Population) -> Result<()> {
        match self {
            Self::Postgres { .. } => self.script("restore.sql", population, &[]),
            Self::Sqlite { .. } => Ok(()),
        }
    }

    /// Vacuums and writes a checkpoint, which would otherwise happen in the middle of a case.
    pub fn tidy(&self) -> Result<()> {
        match self {
            Self::Postgres { .. } => self.statement("VACUUM").and_then(|_| self.statement("CHECKPOINT")).map(drop),
            Self::Sqlite { .. } => Ok(()),
        }
    }

    /// Moves the last-seen time of the requested sessions an hour ahead, so that no use is written, or a day back, so
    /// that the next one is.
    pub fn set_last_seen(&self, population: Population, asked_for: usize, ahead: bool) -> Result<()> {
        let shift = if ahead { "1 hour" } else { "-1 day" };
        self.script("last_seen.sql", population, &[("asked_for", &asked_for.to_string()), ("shift", shift)])?;
        self.tidy()
    }

    /// The bytes that sessions take on disk, with their indexes.
    pub fn bytes(&self) -> Result<u64> {
        match self {
            Self::Postgres { .. } => Ok(self.statement("SELECT pg_total_relation_size('sessions')")?.trim().parse()?),
            Self::Sqlite { folder } => {
                let sizes = std::fs::read_dir(folder.path())?.map(|file| Ok(file?.metadata()?.len()));
                sizes.sum::<Result<u64>>()
            }
        }
    }

    /// Runs a `pgbench` script for some seconds and returns its transactions a second. `None` for SQLite.
    pub fn limit(&self, script: LimitScript, seconds: u64, population: Population, hot: usize) -> Result<Option<f64>> {
        let Self::Postgres { name, .. } = self else { return Ok(None) };
        let file = format!("{SQL}/pgbench/{}.sql", script.name);
        let clients = script.clients.to_string();
        // Statements without rows left would do nothing, so the number of transactions is bounded instead of the time.
        let (unit, amount) = match script.places {
            None => ("-T", seconds),
            Some(places) => ("-t", (places(population) / script.clients).min(seconds * MAX_PER_SECOND)),
        };
        let amount = amount.to_string();
        let variables = [
            format!("sessions={}", population.sessions),
            format!("now={}", population.filled_at_milliseconds()),
            format!("hot={hot}"),
            format!("clients={clients}"),
            "n=-1".to_owned(),
        ];
        let mut arguments = vec!["-n", "-M", "prepared", "-j", "2", "-c", &clients, unit, &amount, "-f", &file];
        for variable in &variables {
            arguments.extend(["-D", variable]);
        }
        arguments.push(name);
        let printed = self.program("pgbench", &arguments)?;
        let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let rate = rate.with_context(|| format!("pgbench said no rate: {printed}"))?;
        Ok(Some(rate))
    }

    fn statement(&self, sql: &str) -> Result<String> {
        let Self::Postgres { name, .. } = self else { bail!("there is no psql for SQLite") };
        self.program("psql", &["-d", name, "-v", "ON_ERROR_STOP=1", "-qAtc", sql])
    }

    fn script(&self, file: &str, population: Population, more: &[(&str, &str)]) -> Result<()> {
        let Self::Postgres { name, .. } = self else { bail!("there is no psql for SQLite") };
        let file = Path::new(SQL).join(file).display().to_string();
        let (sessions, now) = (population.sessions.to_string(), population.filled_at_milliseconds().to_string());
        let mut arguments = ["-d", name, "-qAtf", &file, "-v", "ON_ERROR_STOP=1"].map(str::to_owned).to_vec();
        for (variable, value) in [("sessions", sessions.as_str()), ("now", &now)].iter().chain(more) {
            arguments.extend(["-v".to_owned(), format!("{variable}={value}")]);
        }
        self.program("psql", &arguments.iter().map(String::as_str).collect::<Vec<_>>()).map(drop)
    }

    /// Runs one of PostgreSQL's programs and returns its output.
    fn program(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let Self::Postgres { programs, port, .. } = self else { bail!("there is no {program} for SQLite") };
        let output = Command::new(programs.join(program))
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"])
            .args(arguments)
            .env("PGOPTIONS", WITHOUT_TRIGGERS)
            .output()
            .with_context(|| program.to_owned())?;
        if !output.status.success() {
            bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn sqlite(&self, sql: &'static str, population: Population, rows: u64) -> Result<()> {
        let options = self.url().parse::<SqliteConnectOptions>()?;
        let mut connection: SqliteConnection = options.connect().await?;
        sqlx::query(sql)
            .bind(i64::try_from(population.sessions)?)
            .bind(population.filled_at_milliseconds())
            .bind(i64::try_from(rows)?)
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }
}
