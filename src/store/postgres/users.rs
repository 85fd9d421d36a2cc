//! Users. Where a user and its sessions change together, the user's row is locked first: a racing `open_session`
//! waits for it, or has committed, and then the statement after it sees the session.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::end::end_sessions_of;
use super::idempotency_keys::{OF_SERVICE, OF_SESSIONS, erase_batch};
use super::store::PostgresStore;
use crate::model::{EndReason, User, UserDetails, UserId};
use crate::store::columns;
use crate::store::contract::{EndedAtOnce, MAX_ENDED_AT_ONCE, Result, UserStore};

#[async_trait]
impl UserStore for PostgresStore {
    async fn user(&self, id: &UserId) -> Result<Option<User>> {
        self.read(|| self::user(&self.database.pool, id)).await
    }

    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User> {
        self.database.retry_idempotent(|| self::put_user(&self.database.pool, id, details, now)).await
    }

    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedAtOnce>> {
        let delete = || async move { self::delete_user(&mut *self.database.proved_for_ending().await?, id, now).await };
        self.ended(self.database.retry_if_rolled_back(delete).await?, Option::is_some).await
    }

    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64> {
        let pool = &self.database.pool;
        let erased = self.database.retry_idempotent(|| self::erase_user(pool, id)).await?;
        if erased == 0 {
            for (find, whose) in [(OF_SESSIONS, id.as_str()), (OF_SERVICE, service)] {
                while self.database.retry_idempotent(|| erase_batch(pool, find, whose)).await? {}
            }
        }
        Ok(erased)
    }

    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedAtOnce)> {
        self.database
            .retry_if_rolled_back(|| async move {
                self::ban_user(&mut *self.database.proved_for_ending().await?, id, now).await
            })
            .await
    }

    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>> {
        self.database.retry_idempotent(|| self::unban_user(&self.database.pool, id, now)).await
    }
}

pub(super) async fn user(pool: &PgPool, id: &UserId) -> sqlx::Result<Option<User>> {
    const FIND: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
    sqlx::query(FIND).bind(id.as_str()).fetch_optional(pool).await?.as_ref().map(columns::user).transpose()
}

pub(super) async fn put_user(
    pool: &PgPool,
    id: &UserId,
    details: &UserDetails,
    now: DateTime<Utc>,
) -> sqlx::Result<User> {
    const PUT: &str = concat!(
        "INSERT INTO users AS u (id, name, email, created_at, updated_at) VALUES ($2, $3, $4, $1, $1)
         ON CONFLICT (id) DO UPDATE SET name = coalesce(excluded.name, u.name),
            email = coalesce(excluded.email, u.email),
            updated_at = CASE WHEN (coalesce(excluded.name, u.name), coalesce(excluded.email, u.email))
                    IS DISTINCT FROM (u.name, u.email)
                THEN excluded.updated_at ELSE u.updated_at END
         RETURNING ",
        user_columns!()
    );
    let put = sqlx::query(PUT).bind(now).bind(id.as_str()).bind(&details.name).bind(&details.email);
    columns::user(&put.fetch_one(pool).await?)
}

pub(super) async fn delete_user(
    connection: &mut PgConnection,
    id: &UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<EndedAtOnce>> {
    let mut tx = connection.begin().await?;
    let deleted = sqlx::query("DELETE FROM users WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?;
    let ended = end_sessions_of(&mut *tx, id, None, EndReason::UserDeleted, now).await?;
    tx.commit().await?;
    Ok((deleted.rows_affected() > 0 || ended != EndedAtOnce::Ended(Vec::new())).then_some(ended))
}

pub(super) async fn erase_user(pool: &PgPool, id: &UserId) -> sqlx::Result<u64> {
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
    const ERASE_ENDINGS: &str =
        "UPDATE bulk_endings SET ip_address = NULL WHERE user_id = $1 AND ip_address IS NOT NULL";
    let mut tx = pool.begin().await?;
    let erase = sqlx::query(ERASE).bind(id.as_str()).bind(MAX_ENDED_AT_ONCE);
    let erased = erase.execute(&mut *tx).await?.rows_affected();
    if erased == 0 {
        sqlx::query(ERASE_ENDINGS).bind(id.as_str()).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(erased)
}

pub(super) async fn ban_user(
    connection: &mut PgConnection,
    id: &UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<(User, EndedAtOnce)> {
    const BAN: &str = concat!(
        "INSERT INTO users AS u (id, banned_at, created_at, updated_at) VALUES ($2, $1, $1, $1)
         ON CONFLICT (id) DO UPDATE SET banned_at = coalesce(u.banned_at, excluded.banned_at),
            updated_at = CASE WHEN u.banned_at IS NULL THEN excluded.updated_at ELSE u.updated_at END
         RETURNING ",
        user_columns!()
    );
    let mut tx = connection.begin().await?;
    let user = sqlx::query(BAN).bind(now).bind(id.as_str()).fetch_one(&mut *tx).await?;
    let ended = end_sessions_of(&mut *tx, id, None, EndReason::UserBanned, now).await?;
    tx.commit().await?;
    Ok((columns::user(&user)?, ended))
}

pub(super) async fn unban_user(pool: &PgPool, id: &UserId, now: DateTime<Utc>) -> sqlx::Result<Option<User>> {
    const UNBAN: &str = concat!(
        "UPDATE users SET banned_at = NULL,
            updated_at = CASE WHEN banned_at IS NULL THEN updated_at ELSE $1 END
         WHERE id = $2
         RETURNING ",
        user_columns!()
    );
    let unban = sqlx::query(UNBAN).bind(now).bind(id.as_str());
    unban.fetch_optional(pool).await?.as_ref().map(columns::user).transpose()
}
