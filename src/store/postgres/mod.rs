//! The store on PostgreSQL. READ COMMITTED throughout; every statement stands here in full, to be pasted into `psql`.

#[macro_use]
mod rows;
mod bulk;
mod changes;
mod cleaning;
mod keys;
mod opening;
mod sessions;
mod statistics;
mod users;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};

use self::changes::Line;
use super::{
    Announcement, Changes, EndedTogether, Ending, Error, Listener, LogPosition, NewSession, OpenError, Opening,
    RefreshAttempt, Refreshing, Result, SEARCH_TIME, SessionChange, Store, divide,
};
use crate::sessions::{
    BulkEnding, Counts, CountsWanted, EndReason, Listing, Owner, Search, Session, SessionId, SessionStats, SignedIn,
    Stale, Touch,
};
use crate::tokens::{SealedSigningKey, ServiceKeyId, StoredServiceKey};
use crate::users::{User, UserDetails, UserId};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Longer than any statement of ours should take; a lock that takes this long is not worth the wait.
const SETTINGS: [(&str, &str); 4] = [
    ("statement_timeout", "4000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("default_transaction_isolation", "read committed"),
];
/// How long one intention may take in all. The database keeps to the limits above as long as it runs; this one is for when
/// nothing comes back at all.
const DEADLINE: Duration = Duration::from_millis(4500);
/// How long a health check waits.
const PING_DEADLINE: Duration = Duration::from_secs(1);
/// How long a request waits for a connection.
const ACQUIRE_TIME: Duration = Duration::from_secs(1);
/// How long the database may take to answer at the start.
const CONNECT_TIME: Duration = Duration::from_secs(10);

const PING: &str = "SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = $1 AND success)";

/// Sessions in a PostgreSQL database, which any number of replicas share.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    searches: PgPool,
    log: Line,
    announcements: Line,
    options: PgConnectOptions,
}

impl PostgresStore {
    /// Connects, and brings the tables up to date. Replicas that start at once wait for the first one's migration.
    pub async fn open(url: &str, connections: u32) -> std::result::Result<Self, OpenError> {
        let options = url.parse::<PgConnectOptions>().map_err(OpenError::Url)?;
        let options = options.application_name("sojourn").disable_statement_logging();
        let durable = migrate(&options).await?;

        let (connections, searching) = divide(connections);
        // Whoever turned it off for the database did not mean revocations; stronger settings than `on` are kept.
        let options = options.options(SETTINGS);
        let options = if durable { options } else { options.options([("synchronous_commit", "on")]) };
        let search_time = SEARCH_TIME.as_millis().to_string();
        let search_options = options.clone().options([("statement_timeout", search_time)]);
        let pool = |connections| {
            // Asking whether a connection still works would double the round trips; a dead one fails its first use.
            PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIME).test_before_acquire(false)
        };
        Ok(Self {
            pool: pool(connections).connect_lazy_with(options.clone()),
            searches: pool(searching).connect_lazy_with(search_options),
            log: Line::new(options.clone()),
            announcements: Line::new(options.clone().options([("synchronous_commit", "off")])),
            options,
        })
    }
}

/// Migrates, and says whether the server by itself waits until a commit is durable.
///
/// On a connection of its own: one that waits for another replica's migration must not time out, and closing
/// it gives the lock back whatever happens.
async fn migrate(options: &PgConnectOptions) -> std::result::Result<bool, OpenError> {
    let options = options.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = tokio::time::timeout(CONNECT_TIME, options.connect())
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
        .map_err(OpenError::Connect)?;
    // `run` would do the same, but rustc cannot see that its future may move between threads.
    let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
    migrated?;
    let commit = sqlx::query_scalar::<_, String>("SHOW synchronous_commit").fetch_one(&mut connection).await;
    connection.close().await.map_err(OpenError::Connect)?;
    Ok(commit.map_err(OpenError::Connect)? != "off")
}

/// Tells what may work in a moment from what is a defect, by the error's class (PostgreSQL appendix A).
fn failure(error: sqlx::Error) -> Error {
    let unavailable = match &error {
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            ["08", "53", "57P"].iter().any(|class| code.starts_with(class))
                || ["25006", "25P03", "40001", "40P01", "55P03", "57014"].contains(&code.as_ref())
        }),
        // Protocol: a connection that breaks off in its first bytes looks like a server that speaks nonsense.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed => true,
        _ => false,
    };
    if unavailable { Error::Unavailable(Arc::new(error)) } else { Error::Internal(Arc::new(error)) }
}

/// Waits for one intention, but not for ever.
async fn within<T>(intention: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    before(DEADLINE, intention).await
}

async fn before<T>(deadline: Duration, intention: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(deadline, intention).await {
        Ok(done) => done.map_err(failure),
        Err(_) => Err(Error::unavailable("no answer in time")),
    }
}

/// As [`within`], for searches, which are two statements at most: the database itself stops one that reads for too long,
/// before this does.
async fn searching<T>(search: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(SEARCH_TIME * 2 + ACQUIRE_TIME, search).await {
        Ok(found) => found.map_err(search_failure),
        Err(_) => Err(Error::unavailable("no answer in time")),
    }
}

fn search_failure(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(database) if database.code().as_deref() == Some("57014") => Error::TooSlow,
        _ => failure(error),
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn open_session(&self, new: &NewSession) -> Result<Opening> {
        within(opening::open_session(&self.pool, new)).await
    }

    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        within(sessions::sessions_of_tokens(&self.pool, ids)).await
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        within(sessions::session(&self.pool, id, owner)).await
    }

    async fn active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        within(sessions::active_sessions_of(&self.pool, user, now)).await
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        within(sessions::active_sessions_opened(&self.pool, user, from, to, now)).await
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u32> {
        within(sessions::count_active_sessions_of(&self.pool, user, now)).await
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        within(cleaning::session_stats(&self.pool, user, now)).await
    }

    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        searching(sessions::search_sessions(&self.searches, search)).await
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        searching(sessions::count_sessions(&self.searches, search)).await
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, u32)> {
        searching(sessions::list_sessions(&self.searches, listing)).await
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        within(sessions::touch_sessions(&self.pool, touches)).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        within(sessions::extend_session(&self.pool, id, owner, by, now)).await
    }

    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        within(sessions::change_session(&self.pool, id, owner, change, now)).await
    }

    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<Ending>> {
        within(sessions::end_session(&self.pool, id, owner, reason, now)).await
    }

    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        within(sessions::end_active_session(&self.pool, id, user, reason, now)).await
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<EndedTogether> {
        within(sessions::end_sessions_of(&self.pool, user, except, reason, now)).await
    }

    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SessionId, UserId)>> {
        within(sessions::end_named_sessions(&self.pool, ids, owner, reason, now)).await
    }

    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()> {
        within(bulk::end_in_bulk(&self.pool, ending)).await
    }

    async fn carry_out_bulk_ending(&self, now: DateTime<Utc>) -> Result<Option<bool>> {
        within(bulk::carry_out_bulk_ending(&self.pool, now)).await
    }

    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing> {
        within(sessions::refresh_session(&self.pool, attempt)).await
    }

    async fn delete_stale(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>> {
        within(cleaning::delete_stale(&self.pool, stale, alone)).await
    }

    async fn count_over(&self, instant: DateTime<Utc>) -> Result<u64> {
        cleaning::count_over(&self.searches, instant).await.map_err(search_failure)
    }

    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>> {
        within(statistics::roll_up(&self.pool, until)).await
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        searching(statistics::statistics(&self.searches, wanted)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        within(users::user(&self.pool, id)).await
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        within(users::put_user(&self.pool, id, details, now)).await
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedTogether>> {
        within(users::delete_user(&self.pool, id, now)).await
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedTogether)> {
        within(users::ban_user(&self.pool, id, now)).await
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        within(users::unban_user(&self.pool, id, now)).await
    }

    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()> {
        within(keys::add_service_key(&self.pool, key)).await
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        within(keys::service_key(&self.pool, id)).await
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        within(keys::service_keys(&self.pool)).await
    }

    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool> {
        within(keys::revoke_service_key(&self.pool, id, now)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        within(keys::signing_keys(&self.pool)).await
    }

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        within(keys::add_signing_key(&self.pool, key)).await
    }

    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()> {
        within(keys::remove_signing_keys_before(&self.pool, sequence)).await
    }

    async fn changes(&self, after: LogPosition) -> Result<Changes> {
        changes::changes(&self.log, after).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<()> {
        changes::announce(&self.announcements, announcement).await
    }

    async fn listen(&self) -> Result<Option<Box<dyn Listener>>> {
        changes::listen(&self.options).await.map(Some)
    }

    async fn forget_changes(&self, position: LogPosition) -> Result<u64> {
        within(changes::forget_changes(&self.pool, position)).await
    }

    async fn ping(&self) -> Result<()> {
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
        let ping = sqlx::query_scalar::<_, bool>(PING).bind(newest).fetch_one(&self.pool);
        if before(PING_DEADLINE, ping).await? {
            Ok(())
        } else {
            Err(Error::unavailable("its tables are older than this program"))
        }
    }

    async fn close(&self) {
        tokio::join!(self.pool.close(), self.searches.close(), self.log.close(), self.announcements.close());
    }
}
