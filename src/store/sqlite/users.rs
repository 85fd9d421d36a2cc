//! Users. A user and its sessions change together without a lock on the row, because there is only one writer.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{SqliteExecutor, SqlitePool};

use super::end::end_sessions_within;
use super::failure::failure;
use super::idempotency_keys::{OF_SERVICE, OF_SESSIONS, erase_batch};
use super::log_file::truncate_log;
use super::rows;
use super::store::SqliteStore;
use crate::model::{EndReason, User, UserDetails, UserId};
use crate::store::columns;
use crate::store::contract::{EndedAtOnce, MAX_ENDED_AT_ONCE, Result, UserStore};
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
        self::delete_user(&self.writer, id, now).await.map_err(failure)
    }

    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64> {
        let erased = self::erase_user(&self.writer, id).await.map_err(failure)?;
        if erased == 0 {
            for (find, whose) in [(OF_SESSIONS, id.as_str()), (OF_SERVICE, service)] {
                while erase_batch(&self.writer, find, whose).await.map_err(failure)? {}
            }
            truncate_log(&self.options).await;
        }
        Ok(erased)
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedAtOnce)> {
        self::ban_user(&self.writer, id, now).await.map_err(failure)
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        self::unban_user(&self.writer, id, now).await.map_err(failure)
    }
}

pub(super) async fn user(executor: impl SqliteExecutor<'_>, id: &UserId) -> sqlx::Result<Option<User>> {
    const FIND: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
    sqlx::query(FIND).bind(id.as_str()).fetch_optional(executor).await?.as_ref().map(columns::user).transpose()
}

pub(super) async fn put_user(
    executor: impl SqliteExecutor<'_>,
    id: &UserId,
    details: &UserDetails,
    now: DateTime<Utc>,
) -> sqlx::Result<User> {
    const PUT: &str = concat!(
        "INSERT INTO users AS u (id, name, email, created_at, updated_at) VALUES ($2, $3, $4, $1, $1)
         ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, u.name),
            email = coalesce(excluded.email, u.email),
            updated_at = CASE WHEN (coalesce(excluded.name, u.name), coalesce(excluded.email, u.email))
                    IS NOT (u.name, u.email)
                THEN excluded.updated_at ELSE u.updated_at END
         RETURNING ",
        user_columns!()
    );
    let put = sqlx::query(PUT).bind(StoredTime(now)).bind(id.as_str()).bind(&details.name).bind(&details.email);
    columns::user(&rows::write_one(executor, put).await?.ok_or(sqlx::Error::RowNotFound)?)
}

pub(super) async fn delete_user(
    pool: &SqlitePool,
    id: &UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<EndedAtOnce>> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let deleted = sqlx::query("DELETE FROM users WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?;
    let ended = end_sessions_within(&mut tx, id, None, EndReason::UserDeleted, now).await?;
    tx.commit().await?;
    Ok((deleted.rows_affected() > 0 || ended != EndedAtOnce::Ended(Vec::new())).then_some(ended))
}

pub(super) async fn erase_user(pool: &SqlitePool, id: &UserId) -> sqlx::Result<u64> {
    const ERASE: &str = concat!(
        erase_person!(),
        " WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 AND ",
        describes_a_person!(),
        " LIMIT $2)"
    );
    const ERASE_ENDINGS: &str =
        "UPDATE bulk_endings SET ip_address = NULL WHERE user_id = $1 AND ip_address IS NOT NULL";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let erase = sqlx::query(ERASE).bind(id.as_str()).bind(MAX_ENDED_AT_ONCE);
    let erased = erase.execute(&mut *tx).await?.rows_affected();
    if erased == 0 {
        sqlx::query(ERASE_ENDINGS).bind(id.as_str()).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(erased)
}

pub(super) async fn ban_user(pool: &SqlitePool, id: &UserId, now: DateTime<Utc>) -> sqlx::Result<(User, EndedAtOnce)> {
    const BAN: &str = concat!(
        "INSERT INTO users AS u (id, banned_at, created_at, updated_at) VALUES ($2, $1, $1, $1)
         ON CONFLICT (id) DO UPDATE SET banned_at = coalesce(u.banned_at, excluded.banned_at),
            updated_at = CASE WHEN u.banned_at IS NULL THEN excluded.updated_at ELSE u.updated_at END
         RETURNING ",
        user_columns!()
    );
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let user = sqlx::query(BAN).bind(StoredTime(now)).bind(id.as_str()).fetch_one(&mut *tx).await?;
    let ended = end_sessions_within(&mut tx, id, None, EndReason::UserBanned, now).await?;
    tx.commit().await?;
    Ok((columns::user(&user)?, ended))
}

pub(super) async fn unban_user(pool: &SqlitePool, id: &UserId, now: DateTime<Utc>) -> sqlx::Result<Option<User>> {
    const UNBAN: &str = concat!(
        "UPDATE users SET banned_at = NULL,
            updated_at = CASE WHEN banned_at IS NULL THEN updated_at ELSE $1 END
         WHERE id = $2
         RETURNING ",
        user_columns!()
    );
    let unban = sqlx::query(UNBAN).bind(StoredTime(now)).bind(id.as_str());
    rows::write_one(pool, unban).await?.as_ref().map(columns::user).transpose()
}
