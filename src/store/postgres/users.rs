//! Users. Where a user and its sessions change together, the user's row is locked first: a racing `open_session`
//! waits for it, or has committed, and then the statement after it sees the session.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::Connection as _;

use super::audit::{AuditedWrite, add_entry};
use super::end::end_sessions_of;
use super::idempotency_keys::{OF_SERVICE, OF_SESSIONS, erase_batch};
use super::store::PostgresStore;
use crate::model::{AuditEntry, EndReason, User, UserDetails, UserId};
use crate::store::columns;
use crate::store::contract::{EndedAtOnce, MAX_ENDED_AT_ONCE, Result, UserStore};
use crate::store::statements::audit::{ERASE_ACTORS, ERASE_TARGETS};
use crate::store::statements::one_time_links::DELETE_LINKS_OF_USER;
use crate::store::statements::users::{BAN_USER, DELETE_USER, ERASE_BULK_ENDINGS, FIND_USER, PUT_USER, UNBAN_USER};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl UserStore for PostgresStore {
    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        let find = || async {
            let row = sqlx::query(FIND_USER).bind(id.as_str()).fetch_optional(&self.database.pool).await?;
            row.as_ref().map(columns::user).transpose()
        };
        self.read(find).await
    }

    async fn put_user(
        &self,
        id: &UserId,
        details: &UserDetails,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<User> {
        let UserDetails { name, email } = details;
        let put = || async {
            let put = sqlx::query(PUT_USER).bind(StoredTime(now)).bind(id.as_str()).bind(name).bind(email);
            let mut connection = self.database.pool.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let user = columns::user(&put.fetch_one(&mut *write).await?)?;
            write.finish(user.updated_at == now).await?;
            Ok(user)
        };
        self.database.retry_idempotent(put).await
    }

    async fn delete_user(
        &self,
        id: &UserId,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndedAtOnce>> {
        let delete = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let mut tx = connection.begin().await?;
            let deleted = sqlx::query(DELETE_USER).bind(id.as_str()).execute(&mut *tx).await?;
            sqlx::query(DELETE_LINKS_OF_USER).bind(id.as_str()).execute(&mut *tx).await?;
            let ended = end_sessions_of(&mut *tx, id, None, EndReason::UserDeleted, now).await?;
            let is_deleted = deleted.rows_affected() > 0 || ended != EndedAtOnce::Ended(Vec::new());
            let entry = entry.map(|entry| entry.with_sessions(ended.number() as u64));
            add_entry(&mut tx, entry.as_ref().filter(|_| is_deleted)).await?;
            tx.commit().await?;
            Ok(is_deleted.then_some(ended))
        };
        self.ended(self.database.retry_if_rolled_back(delete).await?, Option::is_some).await
    }

    async fn erase_user(&self, id: &UserId, service: &str, pseudonym: &str, entry: Option<&AuditEntry>) -> Result<u64> {
        const ERASE: &str = concat!(
            "WITH meant AS (
                SELECT id FROM sessions WHERE user_id = $1 AND ",
            describes_a_person!(),
            " LIMIT $2
             ), locked AS (
                SELECT id FROM sessions WHERE id IN (SELECT id FROM meant) ORDER BY id FOR NO KEY UPDATE
             ) ",
            erase_person!(),
            " FROM locked WHERE sessions.id = locked.id"
        );
        let pool = &self.database.pool;
        let erase = || async {
            let mut tx = pool.begin().await?;
            let erase = sqlx::query(ERASE).bind(id.as_str()).bind(MAX_ENDED_AT_ONCE);
            let erased = erase.execute(&mut *tx).await?.rows_affected();
            if erased == 0 {
                for erase in [ERASE_BULK_ENDINGS, DELETE_LINKS_OF_USER] {
                    sqlx::query(erase).bind(id.as_str()).execute(&mut *tx).await?;
                }
                add_entry(&mut tx, entry).await?;
                for erase in [ERASE_TARGETS, ERASE_ACTORS] {
                    sqlx::query(erase).bind(id.as_str()).bind(pseudonym).execute(&mut *tx).await?;
                }
            }
            tx.commit().await?;
            Ok(erased)
        };
        let erased = self.database.retry_idempotent(erase).await?;
        if erased == 0 {
            for (find, whose) in [(OF_SESSIONS, id.as_str()), (OF_SERVICE, service)] {
                while self.database.retry_idempotent(|| erase_batch(pool, find, whose)).await? {}
            }
        }
        Ok(erased)
    }

    async fn ban_user(
        &self,
        id: &UserId,
        reason: Option<&str>,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<(User, EndedAtOnce)> {
        let ban = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let mut tx = connection.begin().await?;
            let ban = sqlx::query(BAN_USER).bind(StoredTime(now)).bind(id.as_str()).bind(reason);
            let user = ban.fetch_one(&mut *tx).await?;
            let ended = end_sessions_of(&mut *tx, id, None, EndReason::UserBanned, now).await?;
            let user = columns::user(&user)?;
            let is_changed = user.updated_at == now || ended != EndedAtOnce::Ended(Vec::new());
            let entry = entry.map(|entry| entry.with_sessions(ended.number() as u64));
            add_entry(&mut tx, entry.as_ref().filter(|_| is_changed)).await?;
            tx.commit().await?;
            Ok((user, ended))
        };
        self.database.retry_if_rolled_back(ban).await
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>, entry: Option<&AuditEntry>) -> Result<Option<User>> {
        let unban = || async {
            let unban = sqlx::query(UNBAN_USER).bind(StoredTime(now)).bind(id.as_str());
            let mut connection = self.database.pool.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let user = unban.fetch_optional(&mut *write).await?.as_ref().map(columns::user).transpose()?;
            write.finish(user.as_ref().is_some_and(|user| user.updated_at == now)).await?;
            Ok(user)
        };
        self.database.retry_idempotent(unban).await
    }
}
