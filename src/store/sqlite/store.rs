//! The store itself: its connections, and the migrations at its start.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::batched_writes::{Endings, Extensions, Openings, Refreshes, WriteBatcher, write_batcher};
use super::failure::{WRITER_TIME, failure, is_busy};
use super::log_numbers::number_from;
use crate::clock::machine_microseconds;
use crate::failpoints::{self, Failpoint};
use crate::model::{DatabaseKind, DatabaseStatus};
use crate::store::contract::{Pool, Result, Store, StoreLifecycle};
use crate::store::open_error::OpenError;
use crate::store::pools::divide;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Time that a statement waits for another process that writes: shorter than a request waits, so that the log and the metrics
/// name the lock as the cause.
const LOCK_TIME: Duration = Duration::from_secs(4);
/// Time that a request waits for a connection for reading.
const READER_TIME: Duration = Duration::from_secs(1);
/// Time for which the start is retried while another process prepares the same file.
const CONNECT_TIME: Duration = Duration::from_secs(10);

const STATUS: &str = "SELECT sqlite_version(), (SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success)";
const PING: &str = "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = $1 AND success)";

/// Sessions in a SQLite file.
pub struct SqliteStore {
    pub(super) openings: WriteBatcher<Openings>,
    pub(super) refreshes: WriteBatcher<Refreshes>,
    pub(super) extensions: WriteBatcher<Extensions>,
    pub(super) endings: WriteBatcher<Endings>,
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    pub(super) searches: SqlitePool,
    /// For connections beside the pools.
    pub(super) options: SqliteConnectOptions,
}

impl SqliteStore {
    /// Creates the file when it is missing, for its owner only, and migrates the tables.
    pub async fn open(url: &str, connections: u32) -> std::result::Result<Self, OpenError> {
        let options = url.parse::<SqliteConnectOptions>().map_err(|error| OpenError::Url(Box::new(error)))?;
        let options = options
            .synchronous(if failpoints::enabled(Failpoint::RelaxedCommit) {
                SqliteSynchronous::Normal
            } else {
                SqliteSynchronous::Full
            })
            .foreign_keys(true)
            // Deleted and overwritten values must leave no bytes in the file: an erasure promises that.
            .pragma("secure_delete", "ON")
            .busy_timeout(LOCK_TIME)
            // Only statements use it, no table and no index: any program can read the file.
            .collation("address", by_address)
            .disable_statement_logging();
        create(options.get_filename()).map_err(|error| OpenError::Connect(error.into()))?;
        let mut first = connect_first(&options.clone().journal_mode(SqliteJournalMode::Wal)).await?;
        migrate(&mut first).await?;

        let (connections, searching) = divide(connections);
        let reading = options.clone().pragma("query_only", "ON");
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
        let writer = pool(1).acquire_timeout(WRITER_TIME).idle_timeout(None).max_lifetime(None);
        // A transaction that SQLite has rolled back by itself (the disk is full) is still open for SQLx, which begins
        // no other one on that connection.
        let writer = writer.before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        });
        let writer = writer.connect_with(options.clone()).await.map_err(OpenError::Connect)?;
        let store = Self {
            openings: write_batcher(&writer),
            refreshes: write_batcher(&writer),
            extensions: write_batcher(&writer),
            endings: write_batcher(&writer),
            writer,
            readers: pool(connections).acquire_timeout(READER_TIME).connect_lazy_with(reading.clone()),
            searches: pool(searching).acquire_timeout(READER_TIME).connect_lazy_with(reading),
            options,
        };
        number_from(&store.writer, machine_microseconds()).await.map_err(OpenError::Connect)?;
        // Not before the writer is connected: the last connection to close removes the write-ahead log and locks out
        // others.
        first.close().await.map_err(OpenError::Connect)?;
        Ok(store)
    }
}

/// The order of addresses: IPv4 first. A text that is no address comes after all, so it is in no network.
fn by_address(left: &str, right: &str) -> Ordering {
    let key = |text: &str| text.parse::<IpAddr>().map_err(|_| text.to_owned());
    match (key(left), key(right)) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(left), Err(right)) => left.cmp(&right),
    }
}

/// Creates the file with a mode that lets nobody else read it; SQLite gives the same mode to its write-ahead log.
fn create(path: &Path) -> io::Result<()> {
    // One at a time: closing a file releases the locks that this process holds on it by another handle.
    static CREATING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = CREATING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens the first connection, which turns the write-ahead log on. SQLite does not wait for the lock that this needs,
/// so it is retried.
async fn connect_first(options: &SqliteConnectOptions) -> std::result::Result<SqliteConnection, OpenError> {
    let end = Instant::now() + CONNECT_TIME;
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            connected => return connected.map_err(OpenError::Connect),
        }
    }
}

/// Migrates under the write lock, because SQLx takes no lock of its own here.
async fn migrate(connection: &mut SqliteConnection) -> std::result::Result<(), OpenError> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(OpenError::Connect)?;
    // `run` would do the same, but rustc cannot prove that its future is `Send`.
    MIGRATIONS.run_direct(None, &mut *tx, false).await?;
    tx.commit().await.map_err(OpenError::Connect)
}

impl Store for SqliteStore {}

#[async_trait]
impl StoreLifecycle for SqliteStore {
    async fn ping(&self) -> Result<bool> {
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
        sqlx::query_scalar(PING).bind(newest).fetch_one(&self.readers).await.map_err(failure)
    }

    fn kind(&self) -> DatabaseKind {
        DatabaseKind::Sqlite
    }

    async fn database_status(&self) -> Result<DatabaseStatus> {
        let (version, migration) = sqlx::query_as(STATUS).fetch_one(&self.readers).await.map_err(failure)?;
        Ok(DatabaseStatus { version, migration, has_lagging_replica: false })
    }

    fn pools(&self) -> Vec<Pool> {
        vec![Pool::of("writer", &self.writer), Pool::of("readers", &self.readers), Pool::of("searches", &self.searches)]
    }

    async fn close(&self) {
        tokio::join!(self.readers.close(), self.searches.close());
        self.writer.close().await;
    }
}
