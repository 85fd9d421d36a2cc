//! The store on an embedded SQLite file. One connection writes, others read; every statement stands here in full, to be
//! pasted into `sqlite3`.

#[macro_use]
mod rows;
mod bulk;
mod changes;
mod cleaning;
mod keys;
mod opening;
mod refreshing;
mod secrets;
mod sessions;
mod statistics;
mod together;
mod users;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, io};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use opening::Openings;
use refreshing::Refreshes;
use sessions::{Endings, Extensions};
use together::{Gathered, gathered};

use super::gathering::{Gathering, Together};
use super::requests::{EndingOfOne, Extension};
use super::{
    Announcement, Changes, EndedTogether, Ending, Error, Listener, NewSession, OpenError, Opening, Pool,
    RefreshAttempt, Refreshing, ReplayedChanges, Result, SEARCH_TIME, SessionChange, Store, divide,
};
use crate::clock::machine_microseconds;
use crate::metrics::{self, DatabaseFailure};
use crate::model::{
    BulkEnding, Counts, CountsWanted, EndReason, Listing, LogPosition, LogSnapshot, LoggedChange, Owner, Search,
    ServiceKeyId, Session, SessionId, SessionStats, SignedIn, Stale, Standing, Touch, User, UserDetails, UserId,
};
use crate::mutants::{self, Mutant};
use crate::tokens::{SealedSigningKey, StoredServiceKey};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Time that a request waits for the writer and for its answer.
const WRITER_TIME: Duration = Duration::from_secs(5);
/// Time that a statement waits for another process that writes: shorter than a request waits, so that the log and the metrics
/// name the lock as the cause.
const LOCK_TIME: Duration = Duration::from_secs(4);
/// How long a request waits for a connection to read.
const READER_TIME: Duration = Duration::from_secs(1);
/// How long to try at the start while another process prepares the same file.
const CONNECT_TIME: Duration = Duration::from_secs(10);

const PING: &str = "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = $1 AND success)";

/// Sessions in a SQLite file.
pub struct SqliteStore {
    openings: Gathered<Openings>,
    refreshes: Gathered<Refreshes>,
    extensions: Gathered<Extensions>,
    endings: Gathered<Endings>,
    writer: SqlitePool,
    readers: SqlitePool,
    searches: SqlitePool,
}

impl SqliteStore {
    /// Creates the file when it is missing, for its owner only, and brings the tables up to date.
    pub async fn open(url: &str, connections: u32) -> std::result::Result<Self, OpenError> {
        let options = url.parse::<SqliteConnectOptions>().map_err(|error| OpenError::Url(Box::new(error)))?;
        let options = options
            .synchronous(if mutants::enabled(Mutant::RelaxedCommit) {
                SqliteSynchronous::Normal
            } else {
                SqliteSynchronous::Full
            })
            .foreign_keys(true)
            .busy_timeout(LOCK_TIME)
            .disable_statement_logging();
        create(options.get_filename()).map_err(|error| OpenError::Connect(error.into()))?;
        let mut first = connect_first(&options.clone().journal_mode(SqliteJournalMode::Wal)).await?;
        migrate(&mut first).await?;

        let (connections, searching) = divide(connections);
        let reading = options.clone().pragma("query_only", "ON");
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
        let writer = pool(1).acquire_timeout(WRITER_TIME).idle_timeout(None).max_lifetime(None);
        // Where SQLite has taken a transaction back by itself (the disk is full), SQLx believes that it is still in it, and
        // begins no other on that connection.
        let writer = writer.before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        });
        let writer = writer.connect_with(options).await.map_err(OpenError::Connect)?;
        let store = Self {
            openings: gathered(&writer),
            refreshes: gathered(&writer),
            extensions: gathered(&writer),
            endings: gathered(&writer),
            writer,
            readers: pool(connections).acquire_timeout(READER_TIME).connect_lazy_with(reading.clone()),
            searches: pool(searching).acquire_timeout(READER_TIME).connect_lazy_with(reading),
        };
        changes::number_from(&store.writer, machine_microseconds()).await.map_err(OpenError::Connect)?;
        // Not before the writer is connected: the last connection to close takes the log along, and locks out others.
        first.close().await.map_err(OpenError::Connect)?;
        Ok(store)
    }
}

/// Creates the file with a mode that lets nobody else read it; SQLite gives its log the same.
fn create(path: &Path) -> io::Result<()> {
    // One at a time: closing a file takes away the locks that this process holds on it by another handle.
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

/// The first connection turns the log on, and for that SQLite does not wait for its turn: so it is tried again.
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
    // `run` would do the same, but rustc cannot see that its future may move between threads.
    MIGRATIONS.run_direct(None, &mut *tx, false).await?;
    tx.commit().await.map_err(OpenError::Connect)
}

/// The primary result code of an error that SQLite reported.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(database) = error else { return None };
    database.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

fn is_busy(error: &sqlx::Error) -> bool {
    result_code(error) == Some(5)
}

/// What comes of a request that goes together with others. Those before it may take as long as one may.
async fn in_time<T: Together>(gathering: &Arc<Gathering<T>>, request: T::Request) -> Result<T::Answer> {
    tokio::time::timeout(WRITER_TIME, gathering.ask(request)).await.unwrap_or_else(|_| {
        metrics::database_failed(DatabaseFailure::Deadline);
        Err(Error::unavailable("no answer in time"))
    })
}

/// Tells what may work in a moment from what is a defect.
fn failure(error: sqlx::Error) -> Error {
    metrics::database_failed(kind(&error));
    let unavailable = match &error {
        // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL.
        sqlx::Error::Database(_) => matches!(result_code(&error), Some(5 | 6 | 8 | 10 | 13 | 14 | 15)),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        _ => false,
    };
    let unavailable = unavailable && !mutants::enabled(Mutant::OutageIsDefect);
    if unavailable { Error::Unavailable(Arc::new(error)) } else { Error::Internal(Arc::new(error)) }
}

fn search_failure(error: sqlx::Error) -> Error {
    let too_slow = kind(&error) == DatabaseFailure::StatementTimeout;
    let error = failure(error);
    if too_slow { Error::TooSlow } else { error }
}

fn kind(error: &sqlx::Error) -> DatabaseFailure {
    match (error, result_code(error)) {
        (sqlx::Error::PoolTimedOut, _) => DatabaseFailure::AcquireTimeout,
        // BUSY, LOCKED.
        (_, Some(5 | 6)) => DatabaseFailure::LockTimeout,
        // INTERRUPT.
        (_, Some(9)) => DatabaseFailure::StatementTimeout,
        // NOMEM, FULL.
        (_, Some(7 | 13)) => DatabaseFailure::Resources,
        _ => DatabaseFailure::Other,
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn open_session(&self, new: &NewSession) -> Result<Opening> {
        in_time(&self.openings, new.clone()).await
    }

    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        sessions::sessions_of_tokens(&self.readers, ids).await.map_err(failure)
    }

    async fn standings(&self, ids: &[SessionId]) -> Result<Vec<Standing>> {
        sessions::standings(&self.readers, ids).await.map_err(failure)
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        sessions::session(&self.readers, id, owner).await.map_err(failure)
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        sessions::active_sessions_of_users(&self.readers, users, now).await.map_err(failure)
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        sessions::active_sessions_opened(&self.readers, user, from, to, now).await.map_err(failure)
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64> {
        sessions::count_active_sessions_of(&self.readers, user, now).await.map_err(failure)
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        cleaning::session_stats(&self.readers, user, now).await.map_err(failure)
    }

    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        let found = tokio::time::timeout(SEARCH_TIME, sessions::search_sessions(&self.searches, search)).await;
        found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        let counted = tokio::time::timeout(SEARCH_TIME, sessions::count_sessions(&self.searches, search)).await;
        counted.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)> {
        let found = tokio::time::timeout(SEARCH_TIME, sessions::list_sessions(&self.searches, listing)).await;
        found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        sessions::touch_sessions(&self.writer, touches).await.map_err(failure)
    }

    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        in_time(&self.extensions, Extension { id, owner: owner.user().cloned(), by, now }).await
    }

    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        sessions::change_session(&self.writer, id, owner, change, now).await.map_err(failure)
    }

    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<Ending>> {
        in_time(&self.endings, EndingOfOne { id, owner: owner.user().cloned(), reason, now }).await
    }

    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        sessions::end_active_session(&self.writer, id, user, reason, now).await.map_err(failure)
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<EndedTogether> {
        sessions::end_sessions_of(&self.writer, user, except, reason, now).await.map_err(failure)
    }

    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SessionId, UserId)>> {
        sessions::end_named_sessions(&self.writer, ids, owner, reason, now).await.map_err(failure)
    }

    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()> {
        bulk::end_in_bulk(&self.writer, ending).await.map_err(failure)
    }

    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>> {
        bulk::bulk_endings(&self.readers, since).await.map_err(failure)
    }

    async fn carry_out_bulk_ending(&self, now: DateTime<Utc>) -> Result<Option<bool>> {
        bulk::carry_out_bulk_ending(&self.writer, now).await.map_err(failure)
    }

    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing> {
        in_time(&self.refreshes, attempt).await
    }

    async fn delete_stale(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>> {
        cleaning::delete_stale(&self.writer, stale, alone).await.map_err(failure)
    }

    async fn count_over(&self, instant: DateTime<Utc>) -> Result<u64> {
        cleaning::count_over(&self.searches, instant).await.map_err(search_failure)
    }

    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>> {
        statistics::roll_up(&self.writer, until).await.map_err(failure)
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        statistics::statistics(&self.searches, wanted).await.map_err(failure)
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        users::user(&self.readers, id).await.map_err(failure)
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        users::put_user(&self.writer, id, details, now).await.map_err(failure)
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedTogether>> {
        users::delete_user(&self.writer, id, now).await.map_err(failure)
    }

    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64> {
        users::erase_user(&self.writer, id, service).await.map_err(failure)
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedTogether)> {
        users::ban_user(&self.writer, id, now).await.map_err(failure)
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        users::unban_user(&self.writer, id, now).await.map_err(failure)
    }

    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()> {
        keys::add_service_key(&self.writer, key).await.map_err(failure)
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        keys::service_key(&self.readers, id).await.map_err(failure)
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        keys::service_keys(&self.readers).await.map_err(failure)
    }

    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool> {
        keys::revoke_service_key(&self.writer, id, now).await.map_err(failure)
    }

    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        keys::signing_keys(&self.readers).await.map_err(failure)
    }

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        keys::add_signing_key(&self.writer, key).await.map_err(failure)
    }

    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()> {
        keys::remove_signing_keys_before(&self.writer, sequence).await.map_err(failure)
    }

    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
        changes::changes(&self.readers, seen, after).await.map_err(failure)
    }

    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges> {
        changes::replay_changes(&self.readers, after).await.map_err(failure)
    }

    async fn foreign_endings(&self, _: DateTime<Utc>) -> Result<Vec<LoggedChange>> {
        Ok(Vec::new())
    }

    async fn announce(&self, _: Announcement) -> Result<()> {
        Ok(())
    }

    async fn listen(&self) -> Result<Option<Box<dyn Listener>>> {
        Ok(None)
    }

    async fn forget_changes(&self, before: LogPosition, _: DateTime<Utc>) -> Result<u64> {
        changes::forget_changes(&self.writer, before).await.map_err(failure)
    }

    async fn ping(&self) -> Result<bool> {
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
        sqlx::query_scalar(PING).bind(newest).fetch_one(&self.readers).await.map_err(failure)
    }

    fn pools(&self) -> Vec<Pool> {
        vec![Pool::of("writer", &self.writer), Pool::of("readers", &self.readers), Pool::of("searches", &self.searches)]
    }

    async fn close(&self) {
        tokio::join!(self.readers.close(), self.searches.close());
        self.writer.close().await;
    }
}
