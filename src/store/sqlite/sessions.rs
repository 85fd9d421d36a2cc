//! Sessions once they are open.
//!
//! Each change is one statement, and there is one writer. So no other write comes between reading and writing a row.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Row, SqliteConnection, SqliteExecutor, SqlitePool};

use super::batched_writes::{BatchedWrite, Extensions};
use super::failure::{failure, in_time};
use super::rows;
use super::store::SqliteStore;
use crate::model::{Owner, Session, SessionId, SessionStats, SessionStatus, SignedIn, Touch, UserId};
use crate::store::columns;
use crate::store::contract::{MAX_LISTED, Result, SessionChange, SessionStore};
use crate::store::requests::Extension;
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl SessionStore for SqliteStore {
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        self::sessions_of_tokens(&self.readers, ids).await.map_err(failure)
    }

    async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>> {
        self::session_statuses(&self.readers, ids).await.map_err(failure)
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        self::session(&self.readers, id, owner).await.map_err(failure)
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        self::active_sessions_of_users(&self.readers, users, now).await.map_err(failure)
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        self::active_sessions_opened(&self.readers, user, from, to, now).await.map_err(failure)
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64> {
        self::count_active_sessions_of(&self.readers, user, now).await.map_err(failure)
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        self::session_stats(&self.readers, user, now).await.map_err(failure)
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        self::touch_sessions(&self.writer, touches).await.map_err(failure)
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
        self::change_session(&self.writer, id, owner, change, now).await.map_err(failure)
    }
}

pub(super) async fn sessions_of_tokens(
    executor: impl SqliteExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SignedIn>> {
    const FIND: &str = concat!(
        "SELECT ",
        as_they_stand!(columns),
        ", user_name, user_email, user_banned_at, user_created_at, user_updated_at
         FROM sessions LEFT JOIN (
            SELECT id AS user_row, name AS user_name, email AS user_email, banned_at AS user_banned_at,
                   created_at AS user_created_at, updated_at AS user_updated_at
            FROM users
         ) AS users ON user_row = user_id
         WHERE id IN (SELECT unhex(value) FROM json_each($1))"
    );
    let ids = rows::json_of_ids(ids)?;
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(columns::signed_in).collect()
}

pub(super) async fn session_statuses(
    executor: impl SqliteExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SessionStatus>> {
    const FIND: &str = concat!(
        "SELECT ",
        as_they_stand!(standing_columns),
        " FROM sessions WHERE id IN (SELECT unhex(value) FROM json_each($1))"
    );
    let ids = rows::json_of_ids(ids)?;
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(columns::standing).collect()
}

pub(super) async fn session(pool: &SqlitePool, id: SessionId, owner: Owner<'_>) -> sqlx::Result<Option<Session>> {
    const FIND: &str =
        concat!("SELECT ", as_they_stand!(columns), " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)");
    let row = sqlx::query(FIND).bind(id.as_uuid()).bind(values::owned_by(owner)).fetch_optional(pool).await?;
    row.as_ref().map(columns::session).transpose()
}

pub(super) async fn active_sessions_of_users(
    pool: &SqlitePool,
    users: &[UserId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions WHERE user_id = $2 AND ",
        active!(),
        " ORDER BY created_at DESC, id DESC LIMIT $3"
    );
    let mut connection = pool.acquire().await?;
    let mut sessions = Vec::new();
    for user in users {
        let list = sqlx::query(LIST).bind(StoredTime(now)).bind(user.as_str()).bind(i64::from(MAX_LISTED));
        for row in list.fetch_all(&mut *connection).await? {
            sessions.push(columns::session(&row)?);
        }
    }
    Ok(sessions)
}

pub(super) async fn active_sessions_opened(
    pool: &SqlitePool,
    user: &UserId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions WHERE user_id = $2 AND created_at >= $3 AND created_at < $4 AND ",
        active!(),
        " ORDER BY created_at DESC, id DESC LIMIT $5"
    );
    let list = sqlx::query(LIST)
        .bind(StoredTime(now))
        .bind(user.as_str())
        .bind(StoredTime(from))
        .bind(StoredTime(to))
        .bind(i64::from(MAX_LISTED));
    list.fetch_all(pool).await?.iter().map(columns::session).collect()
}

pub(super) async fn count_active_sessions_of(
    pool: &SqlitePool,
    user: &UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    const COUNT: &str = concat!("SELECT count(*) FROM sessions WHERE user_id = $2 AND ", active!());
    let count = sqlx::query_scalar::<_, i64>(COUNT).bind(StoredTime(now)).bind(user.as_str());
    Ok(count.fetch_one(pool).await?.unsigned_abs())
}

pub(super) async fn touch_sessions(pool: &SqlitePool, touches: &[Touch]) -> sqlx::Result<()> {
    const TOUCH: &str = "
        UPDATE sessions SET last_seen_at = max(last_seen_at, seen_at),
            confirmed_counter = max(confirmed_counter, counter)
        FROM (
            SELECT unhex(value ->> 0) AS touched, value ->> 1 AS seen_at, value ->> 2 AS counter FROM json_each($1)
        )
        WHERE id = touched AND ended_at IS NULL AND (last_seen_at < seen_at OR confirmed_counter < counter)";
    if touches.is_empty() {
        return Ok(());
    }
    let touches: Vec<(String, i64, i32)> = touches
        .iter()
        .map(|Touch { id, seen_at, counter }| {
            (id.as_uuid().simple().to_string(), StoredTime(*seen_at).microseconds(), values::seen_counter(*counter))
        })
        .collect();
    let touches = serde_json::to_string(&touches).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(TOUCH).bind(touches).execute(pool).await?;
    Ok(())
}

impl BatchedWrite for Extensions {
    type Request = Extension;
    type Answer = Option<Session>;

    async fn write(connection: &mut SqliteConnection, asked: &Extension) -> sqlx::Result<Option<Session>> {
        const EXTEND: &str = concat!(
            "UPDATE sessions SET expires_at = min(expires_at + $4, absolute_expires_at)
             WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ",
            active!(),
            " RETURNING ",
            columns!()
        );
        let extend = sqlx::query(EXTEND)
            .bind(StoredTime(asked.now))
            .bind(asked.id.as_uuid())
            .bind(asked.owner.as_ref().map(UserId::as_str))
            .bind(asked.by.num_microseconds().unwrap_or(i64::MAX));
        extend.fetch_optional(connection).await?.as_ref().map(columns::session).transpose()
    }
}

pub(super) async fn change_session(
    pool: &SqlitePool,
    id: SessionId,
    owner: Owner<'_>,
    change: &SessionChange,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Session>> {
    const CHANGE: &str = concat!(
        "UPDATE sessions SET device_name = CASE WHEN $4 THEN $5 ELSE device_name END,
            metadata = coalesce($6, metadata)
         WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ",
        active!(),
        " RETURNING ",
        columns!()
    );
    let SessionChange { device_name, metadata } = change;
    let change = sqlx::query(CHANGE)
        .bind(StoredTime(now))
        .bind(id.as_uuid())
        .bind(values::owned_by(owner))
        .bind(device_name.is_some())
        .bind(device_name.as_ref().and_then(Option::as_deref))
        .bind(metadata.as_ref().map(crate::model::Metadata::as_json));
    rows::write_one(pool, change).await?.as_ref().map(columns::session).transpose()
}

pub(super) async fn session_stats(pool: &SqlitePool, user: &UserId, now: DateTime<Utc>) -> sqlx::Result<SessionStats> {
    const COUNT: &str = concat!(
        "SELECT count(*) FILTER (WHERE ",
        active!(),
        ") AS active, count(*) FILTER (WHERE NOT ",
        active!(),
        ") AS expired FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND ",
        not_ended_in_bulk!()
    );
    let row = sqlx::query(COUNT).bind(StoredTime(now)).bind(user.as_str()).fetch_one(pool).await?;
    let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok(SessionStats { active: count("active")?, expired: count("expired")? })
}
