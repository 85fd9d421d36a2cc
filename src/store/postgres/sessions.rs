//! Sessions once they are open.
//!
//! A statement that locks several sessions locks them in the order of their ids, so that no two of them deadlock. A
//! statement that returns the stored row reads it after the lock, so concurrent changes are in it.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, PgPool, Row};

use super::batched_writes::{BatchResults, BatchedWrite, Extensions};
use super::failure::failure;
use super::retry::Connections;
use super::rows;
use super::store::PostgresStore;
use crate::failpoints;
use crate::model::{Owner, Session, SessionId, SessionStats, SessionStatus, SignedIn, Touch, UserId};
use crate::store::columns;
use crate::store::contract::{MAX_LISTED, Result, SessionChange, SessionStore};
use crate::store::requests::Extension;
use crate::store::values;

#[async_trait]
impl SessionStore for PostgresStore {
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        let read =
            self.read(|| async move { self::sessions_of_tokens(&mut *self.database.for_caller().await?, ids).await });
        Ok(failpoints::as_first_read(read.await?))
    }

    async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>> {
        self.read(|| async move { self::session_statuses(&mut *self.database.for_caller().await?, ids).await }).await
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        self.read(|| self::session(&self.database.pool, id, owner)).await
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        self.read(|| self::active_sessions_of_users(&self.database.pool, users, now)).await
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        self.read(|| self::active_sessions_opened(&self.database.pool, user, from, to, now)).await
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64> {
        self.read(|| self::count_active_sessions_of(&self.database.pool, user, now)).await
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        self.read(|| self::session_stats(&self.database.pool, user, now)).await
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        self.database.retry_idempotent(|| self::touch_sessions(&self.database.pool, touches)).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        let extension = Extension { id, owner: owner.user().cloned(), by, now };
        self.database.batched(&self.extensions, extension).await
    }

    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        self.database.retry_idempotent(|| self::change_session(&self.database.pool, id, owner, change, now)).await
    }
}

pub(super) async fn sessions_of_tokens(
    executor: impl PgExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SignedIn>> {
    // The LIMIT makes the generic plan look up the user of each session by itself, however many ids are bound.
    const FIND: &str = concat!(
        "SELECT ",
        as_they_stand!(columns),
        ", user_name, user_email, user_banned_at, user_created_at, user_updated_at
         FROM sessions LEFT JOIN LATERAL (
            SELECT name AS user_name, email AS user_email, banned_at AS user_banned_at, created_at AS user_created_at,
                   updated_at AS user_updated_at
            FROM users WHERE users.id = sessions.user_id LIMIT 1
         ) AS users ON TRUE
         WHERE id = ANY($1)"
    );
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(columns::signed_in).collect()
}

pub(super) async fn session_statuses(
    executor: impl PgExecutor<'_>,
    ids: &[SessionId],
) -> sqlx::Result<Vec<SessionStatus>> {
    const FIND: &str = concat!("SELECT ", as_they_stand!(standing_columns), " FROM sessions WHERE id = ANY($1)");
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query(FIND).bind(ids).fetch_all(executor).await?.iter().map(columns::standing).collect()
}

pub(super) async fn session(pool: &PgPool, id: SessionId, owner: Owner<'_>) -> sqlx::Result<Option<Session>> {
    const FIND: &str =
        concat!("SELECT ", as_they_stand!(columns), " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)");
    let row = sqlx::query(FIND).bind(id.as_uuid()).bind(values::owned_by(owner)).fetch_optional(pool).await?;
    row.as_ref().map(columns::session).transpose()
}

pub(super) async fn active_sessions_of_users(
    pool: &PgPool,
    users: &[UserId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Session>> {
    const LIST: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM unnest($2::text[]) AS wanted (wanted_user) CROSS JOIN LATERAL (
            SELECT * FROM sessions WHERE user_id = wanted_user AND ",
        active!(),
        "   ORDER BY created_at DESC, id DESC LIMIT $3
         ) AS listed"
    );
    let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let list = sqlx::query(LIST).bind(now).bind(users).bind(i64::from(MAX_LISTED));
    list.fetch_all(pool).await?.iter().map(columns::session).collect()
}

pub(super) async fn active_sessions_opened(
    pool: &PgPool,
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
    let list = sqlx::query(LIST).bind(now).bind(user.as_str()).bind(from).bind(to).bind(i64::from(MAX_LISTED));
    list.fetch_all(pool).await?.iter().map(columns::session).collect()
}

pub(super) async fn count_active_sessions_of(pool: &PgPool, user: &UserId, now: DateTime<Utc>) -> sqlx::Result<u64> {
    const COUNT: &str = concat!("SELECT count(*) FROM sessions WHERE user_id = $2 AND ", active!());
    let count = sqlx::query_scalar::<_, i64>(COUNT).bind(now).bind(user.as_str());
    Ok(count.fetch_one(pool).await?.unsigned_abs())
}

pub(super) async fn touch_sessions(pool: &PgPool, touches: &[Touch]) -> sqlx::Result<()> {
    const TOUCH: &str = "
        WITH locked AS (
            SELECT id, seen_at, counter
            FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[]) AS touch (id, seen_at, counter)
                JOIN sessions USING (id)
            WHERE ended_at IS NULL AND (last_seen_at < seen_at OR confirmed_counter < counter)
            ORDER BY id FOR NO KEY UPDATE OF sessions
        )
        UPDATE sessions SET last_seen_at = greatest(last_seen_at, seen_at),
            confirmed_counter = greatest(confirmed_counter, counter)
        FROM locked WHERE sessions.id = locked.id";
    if touches.is_empty() {
        return Ok(());
    }
    let mut tx = pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
    sqlx::query(TOUCH)
        .bind(rows::column(touches, |touch| touch.id.as_uuid()))
        .bind(rows::column(touches, |touch| touch.seen_at))
        .bind(rows::column(touches, |touch| values::seen_counter(touch.counter)))
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

macro_rules! extend {
    ($if_locked:literal) => {
        concat!(
            "WITH asked AS (
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[])
                    AS asked (asked_id, owner, microseconds, asked_at)
             ), ",
            locked!($if_locked),
            "UPDATE sessions SET
                expires_at = least(expires_at + microseconds * interval '1 microsecond', absolute_expires_at)
             FROM locked WHERE id = asked_id AND (owner IS NULL OR user_id = owner) AND ",
            active!("last_seen_at", "asked_at"),
            " RETURNING ",
            columns!()
        )
    };
}

impl Extensions {
    async fn extend(pool: &PgPool, sql: &'static str, asked: &[&Extension]) -> sqlx::Result<Vec<PgRow>> {
        let extend = sqlx::query(sql)
            .bind(rows::column(asked, |asked| asked.id.as_uuid()))
            .bind(rows::column(asked, |asked| asked.owner.as_ref().map(UserId::as_str)))
            .bind(rows::column(asked, |asked| asked.by.num_microseconds().unwrap_or(i64::MAX)))
            .bind(rows::column(asked, |asked| asked.now));
        extend.fetch_all(pool).await
    }
}

impl BatchedWrite for Extensions {
    type Request = Extension;
    type Answer = Option<Session>;
    type Subject = SessionId;

    fn subject(asked: &Extension) -> SessionId {
        asked.id
    }

    async fn run_batch(database: &Connections, asked: &[&Extension]) -> Result<BatchResults<Self>> {
        let extended =
            database.retry_if_rolled_back(|| Self::extend(&database.pool, extend!("SKIP LOCKED"), asked)).await?;
        rows::each(&extended, |row| columns::session(row).map(Some))
    }

    async fn run_single(database: &Connections, asked: &Extension) -> Result<Option<Session>> {
        let alone = [asked];
        let extended = database.retry_if_rolled_back(|| Self::extend(&database.pool, extend!(""), &alone)).await?;
        extended.first().map(columns::session).transpose().map_err(failure)
    }
}

pub(super) async fn change_session(
    pool: &PgPool,
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
        .bind(now)
        .bind(id.as_uuid())
        .bind(values::owned_by(owner))
        .bind(device_name.is_some())
        .bind(device_name.as_ref().and_then(Option::as_deref))
        .bind(metadata.as_ref().map(crate::model::Metadata::as_json));
    change.fetch_optional(pool).await?.as_ref().map(columns::session).transpose()
}

pub(super) async fn session_stats(pool: &PgPool, user: &UserId, now: DateTime<Utc>) -> sqlx::Result<SessionStats> {
    const COUNT: &str = concat!(
        "SELECT count(*) FILTER (WHERE ",
        active!(),
        ") AS active, count(*) FILTER (WHERE NOT ",
        active!(),
        ") AS expired FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND ",
        not_ended_in_bulk!()
    );
    let row = sqlx::query(COUNT).bind(now).bind(user.as_str()).fetch_one(pool).await?;
    let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok(SessionStats { active: count("active")?, expired: count("expired")? })
}
