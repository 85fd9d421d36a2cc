//! The store on PostgreSQL. READ COMMITTED throughout; every statement stands here in full, to be pasted into `psql`.

#[macro_use]
mod rows;
mod cleaning;
mod keys;
mod opening;
mod sessions;
mod users;

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};

use super::{
    Ending, Error, NewSession, OpenError, Opening, RefreshAttempt, Refreshing, Result, SEARCH_TIME, SessionChange,
    Store, divide,
};
use crate::sessions::{EndReason, Listing, Owner, Search, Session, SessionId, SessionStats, SignedIn, Stale, Touch};
use crate::tokens::{SealedSigningKey, ServiceKeyId, StoredServiceKey};
use crate::users::{User, UserDetails, UserId};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Longer than any statement of ours should take; a lock that takes this long is not worth the wait.
const SETTINGS: [(&str, &str); 4] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("default_transaction_isolation", "read committed"),
];
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
}

impl PostgresStore {
    /// Connects, and brings the tables up to date. Replicas that start at once wait for the first one's migration.
    pub async fn open(url: &str, connections: u32) -> std::result::Result<Self, OpenError> {
        let options = url.parse::<PgConnectOptions>().map_err(OpenError::Url)?;
        let options = options.application_name("sojourn").disable_statement_logging();
        migrate(&options).await?;

        let (connections, searching) = divide(connections);
        let options = options.options(SETTINGS);
        let search_time = SEARCH_TIME.as_millis().to_string();
        let search_options = options.clone().options([("statement_timeout", search_time)]);
        let pool = |connections| {
            // Asking whether a connection still works would double the round trips; a dead one fails its first use.
            PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIME).test_before_acquire(false)
        };
        Ok(Self {
            pool: pool(connections).connect_lazy_with(options),
            searches: pool(searching).connect_lazy_with(search_options),
        })
    }
}

/// Migrates on a connection of its own: one that waits for another replica's migration must not time out, and closing
/// it gives the lock back whatever happens.
async fn migrate(options: &PgConnectOptions) -> std::result::Result<(), OpenError> {
    let options = options.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = tokio::time::timeout(CONNECT_TIME, options.connect())
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
        .map_err(OpenError::Connect)?;
    // `run` would do the same, but rustc cannot see that its future may move between threads.
    let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
    connection.close().await.map_err(OpenError::Connect)?;
    Ok(migrated?)
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
    if unavailable { Error::Unavailable(Box::new(error)) } else { Error::Internal(Box::new(error)) }
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
        opening::open_session(&self.pool, new).await.map_err(failure)
    }

    async fn session_of_token(&self, id: SessionId) -> Result<Option<SignedIn>> {
        sessions::session_of_token(&self.pool, id).await.map_err(failure)
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        sessions::session(&self.pool, id, owner).await.map_err(failure)
    }

    async fn active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        sessions::active_sessions_of(&self.pool, user, now).await.map_err(failure)
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        sessions::active_sessions_opened(&self.pool, user, from, to, now).await.map_err(failure)
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u32> {
        sessions::count_active_sessions_of(&self.pool, user, now).await.map_err(failure)
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        cleaning::session_stats(&self.pool, user, now).await.map_err(failure)
    }

    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        let found = tokio::time::timeout(SEARCH_TIME, sessions::search_sessions(&self.searches, search)).await;
        found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, u32)> {
        let found = tokio::time::timeout(SEARCH_TIME, sessions::list_sessions(&self.searches, listing)).await;
        found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        sessions::touch_sessions(&self.pool, touches).await.map_err(failure)
    }

    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        sessions::extend_session(&self.pool, id, owner, by, now).await.map_err(failure)
    }

    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        sessions::change_session(&self.pool, id, owner, change, now).await.map_err(failure)
    }

    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<Ending>> {
        sessions::end_session(&self.pool, id, owner, reason, now).await.map_err(failure)
    }

    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        sessions::end_active_session(&self.pool, id, user, reason, now).await.map_err(failure)
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>> {
        sessions::end_sessions_of(&self.pool, user, except, reason, now).await.map_err(failure)
    }

    async fn end_named_sessions_of(
        &self,
        user: &UserId,
        ids: &[SessionId],
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionId>> {
        sessions::end_named_sessions_of(&self.pool, user, ids, reason, now).await.map_err(failure)
    }

    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing> {
        sessions::refresh_session(&self.pool, attempt).await.map_err(failure)
    }

    async fn delete_stale(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>> {
        cleaning::delete_stale(&self.pool, stale, alone).await.map_err(failure)
    }

    async fn count_over(&self, instant: DateTime<Utc>) -> Result<u64> {
        cleaning::count_over(&self.searches, instant).await.map_err(search_failure)
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        users::user(&self.pool, id).await.map_err(failure)
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        users::put_user(&self.pool, id, details, now).await.map_err(failure)
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<Vec<SessionId>>> {
        users::delete_user(&self.pool, id, now).await.map_err(failure)
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, Vec<SessionId>)> {
        users::ban_user(&self.pool, id, now).await.map_err(failure)
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        users::unban_user(&self.pool, id, now).await.map_err(failure)
    }

    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()> {
        keys::add_service_key(&self.pool, key).await.map_err(failure)
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        keys::service_key(&self.pool, id).await.map_err(failure)
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        keys::service_keys(&self.pool).await.map_err(failure)
    }

    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool> {
        keys::revoke_service_key(&self.pool, id, now).await.map_err(failure)
    }

    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        keys::signing_keys(&self.pool).await.map_err(failure)
    }

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        keys::add_signing_key(&self.pool, key).await.map_err(failure)
    }

    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()> {
        keys::remove_signing_keys_before(&self.pool, sequence).await.map_err(failure)
    }

    async fn ping(&self) -> Result<()> {
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
        let ping = sqlx::query_scalar::<_, bool>(PING).bind(newest).fetch_one(&self.pool).await;
        if ping.map_err(failure)? {
            Ok(())
        } else {
            Err(Error::Unavailable("its tables are older than this program".into()))
        }
    }

    async fn close(&self) {
        tokio::join!(self.pool.close(), self.searches.close());
    }
}
