//! Reasons why a store could not be opened.

/// The reason why a store could not be opened, in one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The scheme of the URL names no database that is supported.
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
        /// The encoding of the database.
        encoding: String,
    },
    /// A session setting that guarantees depend on cannot be set.
    #[error("the database at {0} overrides session settings: {1}")]
    Setting(String, String),
    /// A pooler runs the transactions of one connection on several connections of the database.
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
    /// The TLS handshake failed.
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
    /// The migrations failed.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
