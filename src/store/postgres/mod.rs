//! The store on PostgreSQL. READ COMMITTED throughout; every statement stands here in full, to be pasted into `psql`.
//! How long each may take, and which are tried again, stands in `attempts.rs`.

#[macro_use]
mod rows;
mod attempts;
mod bulk;
mod changes;
mod cleaning;
mod keys;
mod migrations;
mod opening;
mod refreshing;
mod sessions;
mod statistics;
mod together;
mod users;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::requests::{EndingOfOne, Extension};
use super::{
    Announcement, Changes, EndedTogether, Ending, Listener, LogPosition, NewSession, OpenError, Opening, Pool,
    RefreshAttempt, Refreshing, Result, SEARCH_TIME, SessionChange, Store, divide,
};
use crate::mutants::{self, Mutant};
use crate::sessions::{
    BulkEnding, Counts, CountsWanted, EndReason, Listing, Owner, Search, Session, SessionId, SessionStats, SignedIn,
    Stale, Standing, Touch,
};
use crate::tokens::{SealedSigningKey, ServiceKeyId, StoredServiceKey};
use crate::users::{User, UserDetails, UserId};

use attempts::Connections;
use changes::Line;
use opening::Openings;
use refreshing::Refreshes;
use sessions::{Endings, Extensions};
use together::{Gathered, gathered};

/// Longer than any statement of ours should take; a lock that takes this long is not worth the wait. There is one good plan
/// for each statement, whatever is asked for; making it anew takes longer than carrying it out.
const SETTINGS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    // A processor more for who lists sessions is one less for who checks tokens.
    ("max_parallel_workers_per_gather", "0"),
    ("statement_timeout", "4000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("default_transaction_isolation", "read committed"),
];
/// How long the database may take to answer at the start.
const CONNECT_TIME: Duration = Duration::from_secs(10);

const PING: &str = "SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = $1 AND success)";

/// Sessions in a PostgreSQL database, which any number of replicas share.
pub struct PostgresStore {
    database: Arc<Connections>,
    openings: Gathered<Openings>,
    refreshes: Gathered<Refreshes>,
    extensions: Gathered<Extensions>,
    endings: Gathered<Endings>,
    log: Line,
    announcements: Line,
    options: PgConnectOptions,
}

impl PostgresStore {
    /// Connects, and brings the tables up to date. Replicas that start at once wait for the first one's migration.
    pub async fn open(url: &str, connections: u32) -> std::result::Result<Self, OpenError> {
        let options = url.parse::<PgConnectOptions>().map_err(OpenError::Url)?;
        let options = options.application_name("sojourn").disable_statement_logging();
        let durable = migrate(&options).await? || mutants::enabled(Mutant::RelaxedCommit);

        let (connections, searching) = divide(connections);
        // Whoever turned it off for the database did not mean revocations; stronger settings than `on` are kept.
        let options = options.options(SETTINGS);
        let options = if durable { options } else { options.options([("synchronous_commit", "on")]) };
        let search_time = SEARCH_TIME.as_millis().to_string();
        // Which index serves a search may depend on what is asked for: PostgreSQL makes the plan for these very values as long
        // as that promises to be worth it, and always for what is not kept prepared. Were a page of the disk so dear that is
        // read out of turn, as it takes them to be, a plan for these very values would always promise that.
        let search_options = options.clone().options([("plan_cache_mode", "auto"), ("random_page_cost", "1.1")]);
        let search_options = search_options.options([("statement_timeout", search_time)]);
        let database = Arc::new(Connections::new(connections, &options, searching, search_options));
        Ok(Self {
            openings: gathered(&database),
            refreshes: gathered(&database),
            extensions: gathered(&database),
            endings: gathered(&database),
            database,
            // There is one way to read the log, whatever the database thinks of a table that grows and shrinks all day.
            log: Line::new(options.clone().options([("enable_seqscan", "off"), ("enable_sort", "off")])),
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
    migrations::run(&mut connection).await?;
    let commit = sqlx::query_scalar::<_, String>("SHOW synchronous_commit").fetch_one(&mut connection).await;
    connection.close().await.map_err(OpenError::Connect)?;
    Ok(commit.map_err(OpenError::Connect)? != "off")
}

#[async_trait]
impl Store for PostgresStore {
    async fn open_session(&self, new: &NewSession) -> Result<Opening> {
        if !new.is_plain() {
            return self.database.once(|| opening::open_session(&self.database.pool, new)).await;
        }
        self.database.together(&self.openings, new.clone()).await
    }

    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        let read = self.database.repeated(|| async move {
            sessions::sessions_of_tokens(&mut *self.database.for_caller().await?, ids).await
        });
        Ok(mutants::as_first_read(read.await?))
    }

    async fn standings(&self, ids: &[SessionId]) -> Result<Vec<Standing>> {
        self.database
            .repeated(|| async move { sessions::standings(&mut *self.database.for_caller().await?, ids).await })
            .await
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        self.database.repeated(|| sessions::session(&self.database.pool, id, owner)).await
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        self.database.repeated(|| sessions::active_sessions_of_users(&self.database.pool, users, now)).await
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        self.database.repeated(|| sessions::active_sessions_opened(&self.database.pool, user, from, to, now)).await
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u32> {
        self.database.repeated(|| sessions::count_active_sessions_of(&self.database.pool, user, now)).await
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        self.database.repeated(|| cleaning::session_stats(&self.database.pool, user, now)).await
    }

    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        self.database.searched(|| sessions::search_sessions(&self.database.searches, search)).await
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        self.database.searched(|| sessions::count_sessions(&self.database.searches, search)).await
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)> {
        self.database.searched(|| sessions::list_sessions(&self.database.searches, listing)).await
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        self.database.repeated(|| sessions::touch_sessions(&self.database.pool, touches)).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        let extension = Extension { id, owner: owner.user().cloned(), by, now };
        self.database.together(&self.extensions, extension).await
    }

    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        self.database.repeated(|| sessions::change_session(&self.database.pool, id, owner, change, now)).await
    }

    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<Ending>> {
        let ending = EndingOfOne { id, owner: owner.user().cloned(), reason, now };
        self.database.together(&self.endings, ending).await
    }

    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        self.database
            .once(|| async move {
                sessions::end_active_session(&mut *self.database.proved_for_ending().await?, id, user, reason, now)
                    .await
            })
            .await
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<EndedTogether> {
        self.database
            .once(|| async move {
                sessions::end_sessions_of(&mut *self.database.proved_for_ending().await?, user, except, reason, now)
                    .await
            })
            .await
    }

    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SessionId, UserId)>> {
        self.database
            .once(|| async move {
                sessions::end_named_sessions(&mut *self.database.proved_for_ending().await?, ids, owner, reason, now)
                    .await
            })
            .await
    }

    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()> {
        self.database
            .repeated(|| async move { bulk::end_in_bulk(&mut *self.database.for_ending().await?, ending).await })
            .await
    }

    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>> {
        self.database.repeated(|| bulk::bulk_endings(&self.database.pool, since)).await
    }

    async fn carry_out_bulk_ending(&self, now: DateTime<Utc>) -> Result<Option<bool>> {
        self.database.once(|| bulk::carry_out_bulk_ending(&self.database.pool, now)).await
    }

    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing> {
        self.database.together(&self.refreshes, attempt).await
    }

    async fn delete_stale(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>> {
        self.database.once(|| cleaning::delete_stale(&self.database.pool, stale, alone)).await
    }

    async fn count_over(&self, instant: DateTime<Utc>) -> Result<u64> {
        self.database.searched(|| cleaning::count_over(&self.database.searches, instant)).await
    }

    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>> {
        self.database.once(|| statistics::roll_up(&self.database.pool, until)).await
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        self.database.searched(|| statistics::statistics(&self.database.searches, wanted)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        self.database.repeated(|| users::user(&self.database.pool, id)).await
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        self.database.repeated(|| users::put_user(&self.database.pool, id, details, now)).await
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedTogether>> {
        self.database
            .once(|| async move { users::delete_user(&mut *self.database.proved_for_ending().await?, id, now).await })
            .await
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedTogether)> {
        self.database
            .once(|| async move { users::ban_user(&mut *self.database.proved_for_ending().await?, id, now).await })
            .await
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        self.database.repeated(|| users::unban_user(&self.database.pool, id, now)).await
    }

    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()> {
        self.database.once(|| keys::add_service_key(&self.database.pool, key)).await
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        self.database
            .repeated(|| async move { keys::service_key(&mut *self.database.for_caller().await?, id).await })
            .await
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        self.database.repeated(|| keys::service_keys(&self.database.pool)).await
    }

    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool> {
        self.database.repeated(|| keys::revoke_service_key(&self.database.pool, id, now)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        self.database.repeated(|| keys::signing_keys(&self.database.pool)).await
    }

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        self.database.once(|| keys::add_signing_key(&self.database.pool, key)).await
    }

    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()> {
        self.database.repeated(|| keys::remove_signing_keys_before(&self.database.pool, sequence)).await
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
        self.database.once(|| changes::forget_changes(&self.database.pool, position)).await
    }

    async fn ping(&self) -> Result<bool> {
        let newest = migrations::MIGRATIONS.iter().map(|migration| migration.version).max();
        self.database.asked(|| sqlx::query_scalar(PING).bind(newest).fetch_one(&self.database.pool)).await
    }

    fn pools(&self) -> Vec<Pool> {
        self.database.pools()
    }

    async fn close(&self) {
        self.database.close().await;
        tokio::join!(self.log.close(), self.announcements.close());
    }
}
