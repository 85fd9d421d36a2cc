//! Ends of sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, SqliteConnection};

use super::audit::{AuditedWrite, add_entry};
use super::batched_writes::{BatchedWrite, Endings};
use super::failure::{failure, in_time};
use super::rows;
use super::store::SqliteStore;
use crate::model::{AuditEntry, EndReason, Owner, SessionId, UserId};
use crate::store::columns;
use crate::store::contract::{EndOutcome, EndStore, EndedAtOnce, MAX_ENDED_AT_ONCE, Result};
use crate::store::requests::EndingOfOne;
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl EndStore for SqliteStore {
    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndOutcome>> {
        let ending = EndingOfOne { id, owner: owner.user().cloned(), reason, now, entry: entry.cloned() };
        in_time(&self.endings, ending).await
    }

    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<bool> {
        let end = sqlx::query(end_active_session!())
            .bind(StoredTime(now))
            .bind(id.as_uuid())
            .bind(user.as_str())
            .bind(reason.as_str());
        let write = async {
            let mut connection = self.writer.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let row = rows::write_one(&mut *write, end).await?;
            let was_active = row.map_or(Ok(false), |row| row.try_get("was_active"))?;
            write.finish(was_active).await?;
            Ok(was_active)
        };
        write.await.map_err(failure)
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<EndedAtOnce> {
        let end = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let ended = end_sessions_of(&mut tx, user, except, reason, now).await?;
            let entry = entry.map(|entry| entry.with_sessions(ended.number() as u64));
            add_entry(&mut tx, entry.as_ref().filter(|_| ended.number() > 0)).await?;
            tx.commit().await?;
            Ok(ended)
        };
        end.await.map_err(failure)
    }

    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Vec<(SessionId, UserId)>> {
        const END: &str = concat!(
            "UPDATE sessions SET ended_at = $1, end_reason = $4
             WHERE id IN (SELECT unhex(value) FROM json_each($2)) AND ($3 IS NULL OR user_id = $3)
                AND ended_at IS NULL AND expires_at > $1
             RETURNING id, user_id, ",
            not_idle!("last_seen_at"),
            " AS was_active"
        );
        let end = sqlx::query(END)
            .bind(StoredTime(now))
            .bind(rows::json_of_ids(ids).map_err(failure)?)
            .bind(values::owned_by(owner))
            .bind(reason.as_str());
        let write = async {
            let mut connection = self.writer.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let ended = columns::ended_of_users(&end.fetch_all(&mut *write).await?)?;
            write.finish_endings(ended.len()).await?;
            Ok(ended)
        };
        write.await.map_err(failure)
    }
}

impl BatchedWrite for Endings {
    type Request = EndingOfOne;
    type Answer = Option<EndOutcome>;

    async fn write(connection: &mut SqliteConnection, asked: &EndingOfOne) -> sqlx::Result<Option<EndOutcome>> {
        const END: &str = concat!(
            "UPDATE sessions SET ended_at = $1, end_reason = $4
             WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL
             RETURNING ",
            columns!()
        );
        const FIND_ENDED: &str = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2) AND ended_at IS NOT NULL"
        );
        let EndingOfOne { id, owner, reason, now, entry } = asked;
        let (id, owner) = (id.as_uuid(), owner.as_ref().map(UserId::as_str));
        let end = sqlx::query(END).bind(StoredTime(*now)).bind(id).bind(owner).bind(reason.as_str());
        if let Some(row) = end.fetch_optional(&mut *connection).await? {
            add_entry(connection, entry.as_ref()).await?;
            return Ok(Some(EndOutcome::Ended(Box::new(columns::session(&row)?))));
        }
        let ended = sqlx::query(FIND_ENDED).bind(id).bind(owner).fetch_optional(connection).await?;
        ended.map(|row| columns::session(&row).map(Box::new).map(EndOutcome::AlreadyEnded)).transpose()
    }
}

/// Ends the sessions of a user within a transaction, because they are counted before they are ended.
pub(super) async fn end_sessions_of(
    connection: &mut SqliteConnection,
    user: &UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<EndedAtOnce> {
    /// One minute of clock skew: by the clock of another process a session may not have expired yet, and be refreshed.
    macro_rules! meant {
        () => {
            "user_id = $2 AND ($3 IS NULL OR id <> $3) AND ended_at IS NULL AND expires_at > $1 - 60000000"
        };
    }
    const COUNT: &str =
        concat!("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE ", meant!(), " LIMIT $4 + 1) AS meant");
    const END: &str = concat!(
        "UPDATE sessions SET ended_at = $1, end_reason = $4 WHERE ",
        meant!(),
        " RETURNING id, expires_at > $1 AND ",
        not_idle!("last_seen_at"),
        " AS was_active"
    );
    let (now, except) = (StoredTime(now), except.map(SessionId::as_uuid));
    let count = sqlx::query_scalar(COUNT).bind(now).bind(user.as_str()).bind(except).bind(MAX_ENDED_AT_ONCE);
    let meant: i64 = count.fetch_one(&mut *connection).await?;
    if meant > MAX_ENDED_AT_ONCE {
        return Ok(EndedAtOnce::TooMany);
    }
    let end = sqlx::query(END).bind(now).bind(user.as_str()).bind(except).bind(reason.as_str());
    columns::ended_ids(&end.fetch_all(connection).await?).map(EndedAtOnce::Ended)
}
