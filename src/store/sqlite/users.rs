//! Users. A user and its sessions change together without a lock on the row, because there is only one writer.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqliteExecutor;

use super::end::end_sessions_of;
use super::failure::failure;
use super::idempotency_keys::{OF_SERVICE, OF_SESSIONS, erase_batch};
use super::log_file::truncate_log;
use super::rows;
use super::store::SqliteStore;
use crate::model::{EndReason, User, UserDetails, UserId};
use crate::store::columns;
use crate::store::contract::{EndedAtOnce, MAX_ENDED_AT_ONCE, Result, UserStore};
use crate::store::statements::one_time_links::DELETE_LINKS_OF_USER;
use crate::store::statements::users::{BAN_USER, DELETE_USER, ERASE_BULK_ENDINGS, FIND_USER, PUT_USER, UNBAN_USER};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl UserStore for SqliteStore {
    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        self::user(&self.readers, id).await.map_err(failure)
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        self::put_user(&self.writer, id, details, now).await.map_err(failure)
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedAtOnce>> {
        let delete = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let deleted = sqlx::query(DELETE_USER).bind(id.as_str()).execute(&mut *tx).await?;
            sqlx::query(DELETE_LINKS_OF_USER).bind(id.as_str()).execute(&mut *tx).await?;
            let ended = end_sessions_of(&mut tx, id, None, EndReason::UserDeleted, now).await?;
            tx.commit().await?;
            Ok((deleted.rows_affected() > 0 || ended != EndedAtOnce::Ended(Vec::new())).then_some(ended))
        };
        delete.await.map_err(failure)
    }

    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64> {
        const ERASE: &str = concat!(
            erase_person!(),
            " WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 AND ",
            describes_a_person!(),
            " LIMIT $2)"
        );
        let erase = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let erase = sqlx::query(ERASE).bind(id.as_str()).bind(MAX_ENDED_AT_ONCE);
            let erased = erase.execute(&mut *tx).await?.rows_affected();
            if erased == 0 {
                for erase in [ERASE_BULK_ENDINGS, DELETE_LINKS_OF_USER] {
                    sqlx::query(erase).bind(id.as_str()).execute(&mut *tx).await?;
                }
            }
            tx.commit().await?;
            Ok(erased)
        };
        let erased = erase.await.map_err(failure)?;
        if erased == 0 {
            for (find, whose) in [(OF_SESSIONS, id.as_str()), (OF_SERVICE, service)] {
                while erase_batch(&self.writer, find, whose).await.map_err(failure)? {}
            }
            truncate_log(&self.options).await;
        }
        Ok(erased)
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedAtOnce)> {
        let ban = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let user = sqlx::query(BAN_USER).bind(StoredTime(now)).bind(id.as_str()).fetch_one(&mut *tx).await?;
            let ended = end_sessions_of(&mut tx, id, None, EndReason::UserBanned, now).await?;
            tx.commit().await?;
            Ok((columns::user(&user)?, ended))
        };
        ban.await.map_err(failure)
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        let unban = sqlx::query(UNBAN_USER).bind(StoredTime(now)).bind(id.as_str());
        let row = rows::write_one(&self.writer, unban).await.map_err(failure)?;
        row.as_ref().map(columns::user).transpose().map_err(failure)
    }
}

pub(super) async fn user(executor: impl SqliteExecutor<'_>, id: &UserId) -> sqlx::Result<Option<User>> {
    let row = sqlx::query(FIND_USER).bind(id.as_str()).fetch_optional(executor).await?;
    row.as_ref().map(columns::user).transpose()
}

pub(super) async fn put_user(
    executor: impl SqliteExecutor<'_>,
    id: &UserId,
    details: &UserDetails,
    now: DateTime<Utc>,
) -> sqlx::Result<User> {
    let UserDetails { name, email } = details;
    let put = sqlx::query(PUT_USER).bind(StoredTime(now)).bind(id.as_str()).bind(name).bind(email);
    columns::user(&rows::write_one(executor, put).await?.ok_or(sqlx::Error::RowNotFound)?)
}
