//! Which store a URL names, and what its connections are for.

use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;

/// Why a store could not be opened: one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is of no database that we know.
    #[error("DATABASE_URL must begin with sqlite: or postgres:")]
    UnknownScheme,
    /// The URL cannot be read.
    #[error("DATABASE_URL cannot be read: {0}")]
    Url(#[source] sqlx::Error),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Connect(#[source] sqlx::Error),
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
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStore::open(url, connections).await?)),
        Some("sqlite") => Ok(Arc::new(SqliteStore::open(url, connections).await?)),
        _ => Err(OpenError::UnknownScheme),
    }
}
