//! Which store a URL names, and what its connections are for.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;

use super::Store;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;

/// Connections to the database that serve one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Their purpose, in one word.
    pub name: &'static str,
    /// Connections that run a statement.
    pub in_use: usize,
    /// Connections that are ready for one.
    pub idle: usize,
}

impl Pool {
    pub(super) fn of<DB: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<DB>) -> Self {
        let idle = pool.num_idle();
        Self { name, in_use: (pool.size() as usize).saturating_sub(idle), idle }
    }
}

/// Why a store could not be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no database that we know.
    #[error("DATABASE_URL must begin with sqlite: or postgres:")]
    UnknownScheme,
    /// The URL cannot be read.
    #[error("DATABASE_URL cannot be read: {0}")]
    Url(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The URL of the read replica cannot be read.
    #[error("SOJOURN_SEARCH_DATABASE_URL cannot be read: {0}")]
    SearchUrl(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Only PostgreSQL has read replicas.
    #[error("SOJOURN_SEARCH_DATABASE_URL needs a PostgreSQL in DATABASE_URL")]
    SearchUrlAlone,
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Connect(#[source] sqlx::Error),
    /// None of several servers can be used.
    #[error("none of the database's servers can be used: {0}")]
    NoServer(String),
    /// The only server is a standby.
    #[error(
        "the database at {0} is a standby, which takes no writes: DATABASE_URL must name the primary, or all servers, as in \
         postgres://user@first,second/database"
    )]
    Standby(String),
    /// The only server takes no writes.
    #[error("the database at {0} takes no writes: default_transaction_read_only is on")]
    ReadOnly(String),
    /// The database cannot hold every text.
    #[error(
        "the database at {place} has the encoding {encoding}, which cannot hold every text: make one with \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// The server.
        place: String,
        /// Its encoding.
        encoding: String,
    },
    /// A setting that a promise rests on cannot be made.
    #[error("the database at {0} does not keep to settings of its sessions: {1}")]
    Setting(String, String),
    /// Transactions of one connection run on several connections of the database.
    #[error(
        "between this server and the database is a pooler in transaction or statement mode (pool_mode), which loses session \
         settings, LISTEN and locks: let it pool sessions, or connect to the database directly"
    )]
    TransactionPooler,
    /// A pooler loses prepared statements.
    #[error(
        "the database loses prepared statements ({0}): a pooler before it must pool sessions (pool_mode = session), or be \
         left out"
    )]
    PreparedStatements(String),
    /// A pooler refuses a parameter.
    #[error(
        "the database refuses a parameter of the connection: {0}; with PgBouncer, leave it out of DATABASE_URL and PGOPTIONS, \
         or name it in ignore_startup_parameters"
    )]
    StartupParameter(String),
    /// Encryption could not be agreed upon.
    #[error(
        "TLS with the database at {place} failed: {problem}; another certificate helps, or sslmode=disable in DATABASE_URL \
         where the network is trusted"
    )]
    Tls {
        /// The server.
        place: String,
        /// The requirement that is not met.
        problem: String,
    },
    /// Its tables could not be brought up to date.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// How long a search may read.
pub(super) const SEARCH_TIME: Duration = Duration::from_secs(2);

/// How many of the connections serve everything else, and how many searches.
pub(super) fn divide(connections: u32) -> (u32, u32) {
    let searching = (connections / 4).clamp(1, 4);
    (connections.saturating_sub(searching).max(1), searching)
}

/// Opens the store that `url` names and brings its tables up to date, which is safe when several replicas start at once.
/// `connections`: the most that are kept open, or 4 when that is more. A few of them are for searches, so that slow ones hold
/// up nothing else.
pub async fn open(url: &str, connections: u32) -> std::result::Result<Arc<dyn Store>, OpenError> {
    open_with_replica(url, None, connections).await
}

/// As [`open`], with a hot standby for what may lag: searches and lists over everybody, and statistics.
pub async fn open_with_replica(
    url: &str,
    search_url: Option<&str>,
    connections: u32,
) -> std::result::Result<Arc<dyn Store>, OpenError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStore::open(url, search_url, connections).await?)),
        _ if search_url.is_some() => Err(OpenError::SearchUrlAlone),
        Some("sqlite") => Ok(Arc::new(SqliteStore::open(url, connections).await?)),
        _ => Err(OpenError::UnknownScheme),
    }
}

/// Whether the database that a URL of SQLite names holds nothing yet, because there is no such file. Writes nothing.
pub fn is_new(url: &str) -> std::result::Result<bool, OpenError> {
    let options = url.parse::<SqliteConnectOptions>().map_err(|error| OpenError::Url(Box::new(error)))?;
    Ok(match std::fs::metadata(options.get_filename()) {
        Ok(file) => file.len() == 0,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    })
}
