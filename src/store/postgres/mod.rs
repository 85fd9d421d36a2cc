//! The store on PostgreSQL. READ COMMITTED throughout; every statement stands here in full, to be pasted into `psql`.
//! How long each may take, and which are tried again, stands in `attempts.rs`.

#[macro_use]
mod rows;
mod attempts;
mod bulk;
mod changes;
mod cleaning;
mod commit_warnings;
mod keys;
mod line;
mod migrations;
mod opening;
mod primary;
mod refreshing;
mod replica;
mod secrets;
mod servers;
mod session;
mod sessions;
mod start;
mod statistics;
mod together;
mod url;
mod users;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::requests::{EndingOfOne, Extension};
use super::{
    Announcement, Changes, EndedTogether, Ending, Error, Listener, NewSession, OpenError, Opening, Pool,
    RefreshAttempt, Refreshing, ReplayedChanges, Result, SessionChange, Store, divide,
};
use crate::model::{
    BulkEnding, Counts, CountsWanted, EndReason, Listing, LogPosition, LogSnapshot, LoggedChange, Owner, Search,
    ServiceKeyId, Session, SessionId, SessionStats, SignedIn, Stale, Standing, Touch, User, UserDetails, UserId,
};
use crate::mutants;
use crate::tokens::{SealedSigningKey, StoredServiceKey};

use attempts::Connections;
use changes::LogReader;
pub use commit_warnings::CommitWarnings;
use line::{Connector, Line};
use opening::Openings;
use primary::Primary;
use refreshing::Refreshes;
use replica::Replica;
use servers::Servers;
use session::SessionSettings;
use sessions::{Endings, Extensions};
use together::{Gathered, gathered};
use url::Access;

const PING: &str = "SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = $1 AND success)";

/// Sessions in a PostgreSQL database, which any number of replicas share.
pub struct PostgresStore {
    database: Arc<Connections>,
    openings: Gathered<Openings>,
    refreshes: Gathered<Refreshes>,
    extensions: Gathered<Extensions>,
    endings: Gathered<Endings>,
    log: LogReader,
    announcements: Line,
    primary: Arc<Primary>,
    servers: Arc<Servers>,
    replica: Option<Replica>,
}

impl PostgresStore {
    /// Connects, and brings the tables up to date. Replicas that start at once wait for the first one's migration.
    ///
    /// `search_url` names a hot standby for searches over everybody. They go to the primary while it is not to be had.
    pub async fn open(url: &str, search_url: Option<&str>, connections: u32) -> std::result::Result<Self, OpenError> {
        let servers = Servers::parse(url, Access::Write).map_err(|error| OpenError::Url(Box::new(error)))?;
        let standby = search_url.map(|url| Servers::parse(url, Access::Read)).transpose();
        let standby = standby.map_err(|error| OpenError::SearchUrl(Box::new(error)))?;
        start::start(&servers).await?;
        let (connections, searching) = divide(connections);
        let database = Arc::new(Connections::new(Arc::clone(&servers), connections, searching));
        let replica = standby.map(|servers| Replica::new(servers, searching));
        if let Some(replica) = &replica {
            // A mistake in the setting is told at the start.
            replica.is_current(&database.searches).await;
        }
        Ok(Self {
            openings: gathered(&database),
            refreshes: gathered(&database),
            extensions: gathered(&database),
            endings: gathered(&database),
            database,
            log: LogReader::new(Connector::new(&servers, SessionSettings::change_log())),
            announcements: Line::new(Connector::new(&servers, SessionSettings::announcements())),
            primary: Primary::new(Connector::new(&servers, SessionSettings::proofs())),
            servers,
            replica,
        })
    }

    /// A read that may be repeated, from a database that is known to be the one that others write to.
    async fn read<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let read = self.database.repeated(attempt).await?;
        self.primary.proved_for_answer().await?;
        Ok(read)
    }

    /// The result of an ending. One that found nothing to end writes nothing that a standby would have to confirm, and may
    /// rest on an earlier ending that no standby has yet.
    async fn ended<T>(&self, done: T, has_written: impl FnOnce(&T) -> bool) -> Result<T> {
        if !has_written(&done) {
            self.primary.confirmed().await?;
        }
        Ok(done)
    }

    /// A search on the primary.
    async fn search<T, F>(&self, search: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let found = self.database.searched(search).await?;
        self.primary.proved_for_answer().await?;
        Ok(found)
    }

    /// A search whose answer may lag: on the read replica when there is one and it is current, else on the primary.
    async fn search_anywhere<T, F>(&self, search: impl Fn(PgPool) -> F) -> Result<T>
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

#[async_trait]
impl Store for PostgresStore {
    async fn open_session(&self, new: &NewSession) -> Result<Opening> {
        if !new.is_plain() {
            return self.database.once(|| opening::open_session(&self.database.pool, new)).await;
        }
        self.database.together(&self.openings, new.clone()).await
    }

    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        let read = self
            .read(|| async move { sessions::sessions_of_tokens(&mut *self.database.for_caller().await?, ids).await });
        Ok(mutants::as_first_read(read.await?))
    }

    async fn standings(&self, ids: &[SessionId]) -> Result<Vec<Standing>> {
        self.read(|| async move { sessions::standings(&mut *self.database.for_caller().await?, ids).await }).await
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        self.read(|| sessions::session(&self.database.pool, id, owner)).await
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        self.read(|| sessions::active_sessions_of_users(&self.database.pool, users, now)).await
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        self.read(|| sessions::active_sessions_opened(&self.database.pool, user, from, to, now)).await
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64> {
        self.read(|| sessions::count_active_sessions_of(&self.database.pool, user, now)).await
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        self.read(|| cleaning::session_stats(&self.database.pool, user, now)).await
    }

    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        if !search.may_lag {
            return self.search(|| sessions::search_sessions(&self.database.searches, search)).await;
        }
        self.search_anywhere(|pool| async move { sessions::search_sessions(&pool, search).await }).await
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        self.search(|| sessions::count_sessions(&self.database.searches, search)).await
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)> {
        self.search_anywhere(|pool| async move { sessions::list_sessions(&pool, listing).await }).await
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
        let end = || async move {
            sessions::end_active_session(&mut *self.database.proved_for_ending().await?, id, user, reason, now).await
        };
        self.ended(self.database.once(end).await?, |ended| *ended).await
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<EndedTogether> {
        let end = || async move {
            sessions::end_sessions_of(&mut *self.database.proved_for_ending().await?, user, except, reason, now).await
        };
        self.ended(self.database.once(end).await?, |ended| *ended != EndedTogether::Ended(Vec::new())).await
    }

    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SessionId, UserId)>> {
        let end = || async move {
            sessions::end_named_sessions(&mut *self.database.proved_for_ending().await?, ids, owner, reason, now).await
        };
        self.ended(self.database.once(end).await?, |ended| !ended.is_empty()).await
    }

    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()> {
        self.database
            .repeated(|| async move { bulk::end_in_bulk(&mut *self.database.for_ending().await?, ending).await })
            .await
    }

    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>> {
        self.read(|| bulk::bulk_endings(&self.database.pool, since)).await
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
        self.search(|| cleaning::count_over(&self.database.searches, instant)).await
    }

    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>> {
        self.database.once(|| statistics::roll_up(&self.database.pool, until)).await
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        self.search_anywhere(|pool| async move { statistics::statistics(&pool, wanted).await }).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        self.read(|| users::user(&self.database.pool, id)).await
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        self.database.repeated(|| users::put_user(&self.database.pool, id, details, now)).await
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedTogether>> {
        let delete =
            || async move { users::delete_user(&mut *self.database.proved_for_ending().await?, id, now).await };
        self.ended(self.database.once(delete).await?, Option::is_some).await
    }

    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64> {
        self.database.repeated(|| users::erase_user(&self.database.pool, id, service)).await
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
        self.read(|| async move { keys::service_key(&mut *self.database.for_caller().await?, id).await }).await
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        self.read(|| async move { keys::service_keys(&mut *self.database.for_caller().await?).await }).await
    }

    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool> {
        self.database.repeated(|| keys::revoke_service_key(&self.database.pool, id, now)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        self.read(|| keys::signing_keys(&self.database.pool)).await
    }

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        self.database.once(|| keys::add_signing_key(&self.database.pool, key)).await
    }

    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()> {
        self.database.repeated(|| keys::remove_signing_keys_before(&self.database.pool, sequence)).await
    }

    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
        self.primary.renew();
        let page = self.log.changes(seen, after).await?;
        let proved_at = self.primary.proved_for_log().await?;
        if !self.primary.is_of(page.log) {
            return Err(Error::unavailable("the database was replaced by another"));
        }
        Ok(Changes { proved_at, ..page })
    }

    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges> {
        self.database.repeated(|| changes::replay_changes(&self.database.pool, after)).await
    }

    async fn foreign_endings(&self, since: DateTime<Utc>) -> Result<Vec<LoggedChange>> {
        self.log.foreign_endings(since).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<()> {
        changes::announce(&self.announcements, announcement).await
    }

    async fn listen(&self) -> Result<Option<Box<dyn Listener>>> {
        changes::listen(&self.servers).await.map(Some)
    }

    async fn forget_changes(&self, before: LogPosition, since: DateTime<Utc>) -> Result<u64> {
        self.database.once(|| changes::forget_changes(&self.database.pool, before, since)).await
    }

    async fn ping(&self) -> Result<bool> {
        let newest = migrations::MIGRATIONS.iter().map(|migration| migration.version).max();
        let is_migrated =
            self.database.asked(|| sqlx::query_scalar(PING).bind(newest).fetch_one(&self.database.pool)).await?;
        self.primary.proved_for_answer().await?;
        Ok(is_migrated)
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
