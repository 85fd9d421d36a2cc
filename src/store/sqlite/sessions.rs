//! Sessions once they are open.
//!
//! Each change is one statement, and there is one writer. So no other write comes between reading and writing a row.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{SqliteConnection, SqliteExecutor};

use super::audit::AuditedWrite;
use super::batched_writes::{BatchedWrite, Extensions};
use super::failure::{failure, in_time};
use super::rows;
use super::store::SqliteStore;
use crate::model::{
    AuditEntry, Metadata, Owner, Session, SessionId, SessionStats, SessionStatus, SignedIn, Touch, UserId,
};
use crate::store::columns;
use crate::store::contract::{MAX_LISTED, Result, SessionChange, SessionStore};
use crate::store::requests::Extension;
use crate::store::statements::sessions::session_stats;
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl SessionStore for SqliteStore {
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>> {
        self::sessions_of_tokens(&self.readers, ids).await.map_err(failure)
    }

    async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>> {
        const FIND: &str = concat!(
            "SELECT ",
            as_they_stand!(standing_columns),
            " FROM sessions WHERE id IN (SELECT unhex(value) FROM json_each($1))"
        );
        let find = sqlx::query(FIND).bind(rows::json_of_ids(ids).map_err(failure)?);
        let rows = find.fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(columns::standing).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>> {
        let find = sqlx::query(find_session!()).bind(id.as_uuid()).bind(values::owned_by(owner));
        let row = find.fetch_optional(&self.readers).await.map_err(failure)?;
        row.as_ref().map(columns::session).transpose().map_err(failure)
    }

    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>> {
        const LIST: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE user_id = $2 AND ",
            active!(),
            " ORDER BY created_at DESC, id DESC LIMIT $3"
        );
        let list = async {
            let mut connection = self.readers.acquire().await?;
            let mut sessions = Vec::new();
            for user in users {
                let list = sqlx::query(LIST).bind(StoredTime(now)).bind(user.as_str()).bind(i64::from(MAX_LISTED));
                for row in list.fetch_all(&mut *connection).await? {
                    sessions.push(columns::session(&row)?);
                }
            }
            Ok(sessions)
        };
        list.await.map_err(failure)
    }

    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        let list = sqlx::query(list_active_sessions_opened!())
            .bind(StoredTime(now))
            .bind(user.as_str())
            .bind(StoredTime(from))
            .bind(StoredTime(to))
            .bind(i64::from(MAX_LISTED));
        let rows = list.fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(columns::session).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64> {
        let count = sqlx::query_scalar::<_, i64>(count_active_sessions!()).bind(StoredTime(now)).bind(user.as_str());
        Ok(count.fetch_one(&self.readers).await.map_err(failure)?.unsigned_abs())
    }

    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats> {
        let count = sqlx::query(count_sessions_by_state!()).bind(StoredTime(now)).bind(user.as_str());
        session_stats(&count.fetch_one(&self.readers).await.map_err(failure)?).map_err(failure)
    }

    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()> {
        const TOUCH: &str = "
            UPDATE sessions SET last_seen_at = max(last_seen_at, seen_at),
                confirmed_counter = max(confirmed_counter, counter),
                last_ip_address = CASE WHEN address IS NOT NULL AND last_seen_at <= seen_at
                    THEN address ELSE last_ip_address END,
                last_place = CASE WHEN address IS NOT NULL AND last_seen_at <= seen_at THEN seen_in ELSE last_place END
            FROM (
                SELECT unhex(value ->> 0) AS touched, value ->> 1 AS seen_at, value ->> 2 AS counter,
                    value ->> 3 AS address, value ->> 4 AS seen_in
                FROM json_each($1)
            )
            WHERE id = touched AND ended_at IS NULL
                AND (last_seen_at < seen_at OR confirmed_counter < counter
                    OR address IS NOT NULL AND last_seen_at <= seen_at)";
        if touches.is_empty() {
            return Ok(());
        }
        let touch = sqlx::query(TOUCH).bind(rows::json_of_touches(touches).map_err(failure)?);
        touch.execute(&self.writer).await.map_err(failure)?;
        Ok(())
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
            return in_time(&self.extensions, extension).await;
        }
        let write = async {
            let mut connection = self.writer.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let extended = Extensions::write(&mut write, &extension).await?;
            write.finish(extended.is_some()).await?;
            Ok(extended)
        };
        write.await.map_err(failure)
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
        let change = sqlx::query(change_session!())
            .bind(StoredTime(now))
            .bind(id.as_uuid())
            .bind(values::owned_by(owner))
            .bind(device_name.is_some())
            .bind(device_name.as_ref().and_then(Option::as_deref))
            .bind(metadata.as_ref().map(Metadata::as_json))
            .bind(claims.as_ref().map(|claims| values::claims_to_change(claims.as_ref())));
        let write = async {
            let mut connection = self.writer.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let row = rows::write_one(&mut *write, change).await?;
            write.finish(row.is_some()).await?;
            row.as_ref().map(columns::session).transpose()
        };
        write.await.map_err(failure)
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
    let find = sqlx::query(FIND).bind(rows::json_of_ids(ids)?);
    find.fetch_all(executor).await?.iter().map(columns::signed_in).collect()
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
