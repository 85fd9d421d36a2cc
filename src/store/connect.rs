//! The choice of a store by its URL.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;

use super::contract::Store;
use super::open_error::OpenError;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;

/// Opens the store that `url` names and migrates its tables, which is safe when several replicas start at once.
/// `connections` is the upper limit of open connections, 4 at least. A few of them are for searches, so that slow ones
/// hold up no other request.
pub async fn open(url: &str, connections: u32) -> std::result::Result<Arc<dyn Store>, OpenError> {
    open_with_replica(url, None, connections).await
}

/// As [`open`], with a hot standby for reads that may lag: searches and lists over all users, and statistics.
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

/// Whether the SQLite file that `url` names is missing or empty. Writes nothing.
pub fn is_new(url: &str) -> std::result::Result<bool, OpenError> {
    let options = url.parse::<SqliteConnectOptions>().map_err(|error| OpenError::Url(Box::new(error)))?;
    Ok(match std::fs::metadata(options.get_filename()) {
        Ok(file) => file.len() == 0,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    })
}
