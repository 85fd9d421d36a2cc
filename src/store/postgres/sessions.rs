//! Sessions once they are open.
//!
//! A statement that locks several sessions locks them in the order of their ids, so that no two of them deadlock. A
//! statement that returns the stored row reads it after the lock, so concurrent changes are in it.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use sqlx::postgres::PgRow;

use super::audit::AuditedWrite;
use super::batched_writes::{BatchResults, BatchedWrite, Extensions};
use super::failure::failure;
use super::retry::Connections;
use super::rows;
use super::store::PostgresStore;
use crate::model::{
    AuditEntry, Metadata, Owner, Session, SessionId, SessionStats, SessionStatus, SignedIn, Touch, UserId,
};
use crate::store::columns;
use crate::store::contract::{MAX_LISTED, Result, SessionChange, SessionStore};
use crate::store::requests::Extension;
use crate::store::statements::sessions::session_stats;
use crate::store::stored_time::StoredTime;
use crate::store::values;

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

#[async_trait]
impl SessionStore for PostgresStore {
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        let find = || async { self::sessions_of_tokens(&mut *self.database.for_caller().await?, ids).await };
        self.read(find).await
    }

    async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>> {
        const FIND: &str = concat!("SELECT ", as_they_stand!(standing_columns), " FROM sessions WHERE id = ANY($1)");
        let find = || async {
            let mut connection = self.database.for_caller().await?;
            let find = sqlx::query(FIND).bind(rows::column(ids, |id| id.as_uuid()));
            find.fetch_all(&mut *connection).await?.iter().map(columns::standing).collect()
        };
        self.read(find).await
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        let find = || async {
            let find = sqlx::query(find_session!()).bind(id.as_uuid()).bind(values::owned_by(owner));
            find.fetch_optional(&self.database.pool).await?.as_ref().map(columns::session).transpose()
        };
        self.read(find).await
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        const LIST: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM unnest($2::text[]) AS wanted (wanted_user) CROSS JOIN LATERAL (
                SELECT * FROM sessions WHERE user_id = wanted_user AND ",
            active!(),
            "   ORDER BY created_at DESC, id DESC LIMIT $3
             ) AS listed"
        );
        let list = || async {
            let users = rows::column(users, UserId::as_str);
            let list = sqlx::query(LIST).bind(StoredTime(now)).bind(users).bind(i64::from(MAX_LISTED));
            list.fetch_all(&self.database.pool).await?.iter().map(columns::session).collect()
        };
        self.read(list).await
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        let list = || async {
            let list = sqlx::query(list_active_sessions_opened!())
                .bind(StoredTime(now))
                .bind(user.as_str())
                .bind(StoredTime(from))
                .bind(StoredTime(to))
                .bind(i64::from(MAX_LISTED));
            list.fetch_all(&self.database.pool).await?.iter().map(columns::session).collect()
        };
        self.read(list).await
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64> {
        let count = || {
            sqlx::query_scalar::<_, i64>(count_active_sessions!())
                .bind(StoredTime(now))
                .bind(user.as_str())
                .fetch_one(&self.database.pool)
        };
        Ok(self.read(count).await?.unsigned_abs())
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        let count = || async {
            let count = sqlx::query(count_sessions_by_state!()).bind(StoredTime(now)).bind(user.as_str());
            session_stats(&count.fetch_one(&self.database.pool).await?)
        };
        self.read(count).await
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        const TOUCH: &str = "
            WITH locked AS (
                SELECT id, seen_at, counter, address, seen_in
                FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[])
                        AS touch (id, seen_at, counter, address, seen_in)
                    JOIN sessions USING (id)
                WHERE ended_at IS NULL
                    AND (last_seen_at < seen_at OR confirmed_counter < counter
                        OR address IS NOT NULL AND last_seen_at <= seen_at)
                ORDER BY id FOR NO KEY UPDATE OF sessions
            )
            UPDATE sessions SET last_seen_at = greatest(last_seen_at, seen_at),
                confirmed_counter = greatest(confirmed_counter, counter),
                last_ip_address = CASE WHEN address IS NOT NULL AND last_seen_at <= seen_at
                    THEN address ELSE last_ip_address END,
                last_place = CASE WHEN address IS NOT NULL AND last_seen_at <= seen_at THEN seen_in ELSE last_place END
            FROM locked WHERE sessions.id = locked.id";
        let touch = || async {
            if touches.is_empty() {
                return Ok(());
            }
            let mut tx = self.database.pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
            let touch = sqlx::query(TOUCH)
                .bind(rows::column(touches, |touch| touch.id.as_uuid()))
                .bind(rows::column(touches, |touch| touch.seen_at))
                .bind(rows::column(touches, |touch| values::seen_counter(touch.counter)))
                .bind(rows::column(touches, |touch| values::address_to_store(touch.seen_from.as_ref())))
                .bind(rows::column_checked(touches, |touch| values::last_place_to_store(touch.seen_from.as_ref()))?);
            touch.execute(&mut *tx).await?;
            tx.commit().await
        };
        self.database.retry_idempotent(touch).await
    }

    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<Session>> {
        let extension = Extension { id, owner: owner.user().cloned(), by, now };
        if entry.is_none() {
            return self.database.batched(&self.extensions, extension).await;
        }
        let alone = [&extension];
        let extend = || async {
            let mut connection = self.database.pool.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let extended = Extensions::extend(&mut *write, extend!(""), &alone).await?;
            write.finish(!extended.is_empty()).await?;
            extended.first().map(columns::session).transpose()
        };
        self.database.retry_if_rolled_back(extend).await
    }

    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<Session>> {
        let SessionChange { device_name, metadata, claims } = change;
        let change = || async {
            let change = sqlx::query(change_session!())
                .bind(StoredTime(now))
                .bind(id.as_uuid())
                .bind(values::owned_by(owner))
                .bind(device_name.is_some())
                .bind(device_name.as_ref().and_then(Option::as_deref))
                .bind(metadata.as_ref().map(Metadata::as_json))
                .bind(claims.as_ref().map(|claims| values::claims_to_change(claims.as_ref())));
            let mut connection = self.database.pool.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let changed = change.fetch_optional(&mut *write).await?;
            write.finish(changed.is_some()).await?;
            changed.as_ref().map(columns::session).transpose()
        };
        self.database.retry_idempotent(change).await
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
    let find = sqlx::query(FIND).bind(rows::column(ids, |id| id.as_uuid()));
    find.fetch_all(executor).await?.iter().map(columns::signed_in).collect()
}

impl Extensions {
    async fn extend(
        executor: impl PgExecutor<'_>,
        sql: &'static str,
        asked: &[&Extension],
    ) -> sqlx::Result<Vec<PgRow>> {
        let extend = sqlx::query(sql)
            .bind(rows::column(asked, |asked| asked.id.as_uuid()))
            .bind(rows::column(asked, |asked| asked.owner.as_ref().map(UserId::as_str)))
            .bind(rows::column(asked, |asked| asked.by.num_microseconds().unwrap_or(i64::MAX)))
            .bind(rows::column(asked, |asked| asked.now));
        extend.fetch_all(executor).await
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
