//! The store itself: its connections, and the methods that its parts share.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgPool;

use super::batched_writes::{Endings, Extensions, Openings, Refreshes, WriteBatcher, write_batcher};
use super::line::{Connector, Line};
use super::log_reader::LogReader;
use super::primary::Primary;
use super::replica::Replica;
use super::retry::Connections;
use super::servers::Servers;
use super::session::SessionSettings;
use super::url::Access;
use crate::model::{DatabaseKind, DatabaseStatus};
use crate::store::contract::{Pool, Result, Store, StoreLifecycle};
use crate::store::open_error::OpenError;
use crate::store::pools::divide;

const STATUS: &str = "
    SELECT current_setting('server_version') AS version,
           (SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success) AS migration";
const PING: &str = "SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = $1 AND success)";

/// Sessions in a PostgreSQL database, which any number of replicas share.
pub struct PostgresStore {
    pub(super) database: Arc<Connections>,
    pub(super) openings: WriteBatcher<Openings>,
    pub(super) refreshes: WriteBatcher<Refreshes>,
    pub(super) extensions: WriteBatcher<Extensions>,
    pub(super) endings: WriteBatcher<Endings>,
    pub(super) log: LogReader,
    pub(super) announcements: Line,
    pub(super) primary: Arc<Primary>,
    pub(super) servers: Arc<Servers>,
    pub(super) replica: Option<Replica>,
}

impl PostgresStore {
    /// Connects and migrates the tables. Replicas that start at once wait for the migration of the first one.
    ///
    /// `search_url` names a hot standby for searches over all users. They go to the primary while it is unavailable.
    pub async fn open(url: &str, search_url: Option<&str>, connections: u32) -> std::result::Result<Self, OpenError> {
        let servers = Servers::parse(url, Access::Write).map_err(|error| OpenError::Url(Box::new(error)))?;
        let standby = search_url.map(|url| Servers::parse(url, Access::Read)).transpose();
        let standby = standby.map_err(|error| OpenError::SearchUrl(Box::new(error)))?;
        super::start::start(&servers).await?;
        let (connections, searching) = divide(connections);
        let database = Arc::new(Connections::new(Arc::clone(&servers), connections, searching));
        let replica = standby.map(|servers| Replica::new(servers, searching));
        if let Some(replica) = &replica {
            // Logs a mistake in the setting at the start.
            replica.is_current(&database.searches).await;
        }
        Ok(Self {
            openings: write_batcher(&database),
            refreshes: write_batcher(&database),
            extensions: write_batcher(&database),
            endings: write_batcher(&database),
            database,
            log: LogReader::new(Connector::new(&servers, SessionSettings::change_log())),
            announcements: Line::new(Connector::new(&servers, SessionSettings::announcements())),
            primary: Primary::new(Connector::new(&servers, SessionSettings::proofs())),
            servers,
            replica,
        })
    }

    /// A read that is retried, from a database that has proved to be the primary.
    pub(super) async fn read<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let read = self.database.retry_idempotent(attempt).await?;
        self.primary.proved_for_answer().await?;
        Ok(read)
    }

    /// The result of an ending. One that found nothing to end wrote nothing for a standby to confirm, and may depend on
    /// an earlier ending that no standby has yet.
    pub(super) async fn ended<T>(&self, done: T, has_written: impl FnOnce(&T) -> bool) -> Result<T> {
        if !has_written(&done) {
            self.primary.confirmed().await?;
        }
        Ok(done)
    }

    /// A search on the primary.
    pub(super) async fn search<T, F>(&self, search: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let found = self.database.search(search).await?;
        self.primary.proved_for_answer().await?;
        Ok(found)
    }

    /// A search whose answer may lag: on the read replica when there is one and it is current, else on the primary.
    pub(super) async fn search_anywhere<T, F>(&self, search: impl Fn(PgPool) -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let on_the_replica = match &self.replica {
            Some(replica) => replica.search(&self.database.searches, &search).await,
            None => None,
        };
        match on_the_replica {
            Some(answer) => answer,
            None => self.search(|| search(self.database.searches.clone())).await,
        }
    }
}

impl Store for PostgresStore {}

#[async_trait]
impl StoreLifecycle for PostgresStore {
    async fn ping(&self) -> Result<bool> {
        let newest = super::migrations::MIGRATIONS.iter().map(|migration| migration.version).max();
        let is_migrated =
            self.database.probe(|| sqlx::query_scalar(PING).bind(newest).fetch_one(&self.database.pool)).await?;
        self.primary.proved_for_answer().await?;
        Ok(is_migrated)
    }

    fn kind(&self) -> DatabaseKind {
        DatabaseKind::Postgresql
    }

    async fn database_status(&self) -> Result<DatabaseStatus> {
        let read = || sqlx::query_as(STATUS).fetch_one(&self.database.pool);
        let (version, migration): (String, i64) = self.database.probe(read).await?;
        let has_lagging_replica = match &self.replica {
            Some(replica) => !replica.is_current(&self.database.searches).await,
            None => false,
        };
        // Distributions add their own version behind a space.
        let version = version.split(' ').next().unwrap_or_default().to_owned();
        Ok(DatabaseStatus { version, migration, has_lagging_replica })
    }

    fn pools(&self) -> Vec<Pool> {
        self.database.pools().into_iter().chain(self.replica.as_ref().map(Replica::pool)).collect()
    }

    async fn close(&self) {
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
        self.database.close().await;
        tokio::join!(self.log.close(), self.announcements.close(), self.primary.close());
    }
}
