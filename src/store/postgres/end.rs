//! Ends of sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgExecutor, Row};

use super::audit::{AuditedWrite, add_entry};
use super::batched_writes::{BatchResults, BatchedWrite, Endings};
use super::retry::Connections;
use super::rows;
use super::store::PostgresStore;
use crate::model::{AuditEntry, EndReason, Owner, SessionId, UserId};
use crate::store::columns;
use crate::store::contract::{EndOutcome, EndStore, EndedAtOnce, MAX_ENDED_AT_ONCE, Result};
use crate::store::requests::EndingOfOne;
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl EndStore for PostgresStore {
    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndOutcome>> {
        let ending = EndingOfOne { id, owner: owner.user().cloned(), reason, now, entry: entry.cloned() };
        self.database.batched(&self.endings, ending).await
    }

    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<bool> {
        let end = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let end = sqlx::query_scalar(end_active_session!())
                .bind(StoredTime(now))
                .bind(id.as_uuid())
                .bind(user.as_str())
                .bind(reason.as_str());
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let was_active = end.fetch_optional(&mut *write).await?.unwrap_or(false);
            write.finish(was_active).await?;
            Ok(was_active)
        };
        self.ended(self.database.retry_if_rolled_back(end).await?, |ended| *ended).await
    }

    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<EndedAtOnce> {
        let end = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let ended = end_sessions_of(&mut *write, user, except, reason, now).await?;
            write.finish_endings(ended.number()).await?;
            Ok(ended)
        };
        let has_written = |ended: &EndedAtOnce| *ended != EndedAtOnce::Ended(Vec::new());
        self.ended(self.database.retry_if_rolled_back(end).await?, has_written).await
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
            "WITH locked AS (
                SELECT id FROM sessions
                WHERE id = ANY($2) AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL AND expires_at > $1
                ORDER BY id FOR NO KEY UPDATE
             )
             UPDATE sessions SET ended_at = $1, end_reason = $4 FROM locked WHERE sessions.id = locked.id
             RETURNING sessions.id, user_id, ",
            not_idle!("last_seen_at"),
            " AS was_active"
        );
        let end = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let end = sqlx::query(END)
                .bind(StoredTime(now))
                .bind(rows::column(ids, |id| id.as_uuid()))
                .bind(values::owned_by(owner))
                .bind(reason.as_str());
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let ended = columns::ended_of_users(&end.fetch_all(&mut *write).await?)?;
            write.finish_endings(ended.len()).await?;
            Ok(ended)
        };
        self.ended(self.database.retry_if_rolled_back(end).await?, |ended| !ended.is_empty()).await
    }
}

impl BatchedWrite for Endings {
    type Request = EndingOfOne;
    type Answer = Option<EndOutcome>;
    type Subject = SessionId;

    fn subject(asked: &EndingOfOne) -> SessionId {
        asked.id
    }

    /// Ends the sessions that are neither ended nor locked. With entries for the audit trail among the requests it is a
    /// transaction, which a client that hangs up does not interrupt, because it is the batcher that waits for it.
    async fn run_batch(database: &Connections, asked: &[&EndingOfOne]) -> Result<BatchResults<Self>> {
        const END: &str = concat!(
            "WITH asked AS (
                SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
                    AS asked (asked_id, owner, reason, asked_at)
             ), ",
            locked!("SKIP LOCKED"),
            "UPDATE sessions SET ended_at = asked_at, end_reason = reason FROM locked
             WHERE id = asked_id AND (owner IS NULL OR user_id = owner) AND ended_at IS NULL
             RETURNING ",
            columns!()
        );
        let end = || async {
            let mut connection = database.for_ending().await?;
            let end = sqlx::query(END)
                .bind(rows::column(asked, |asked| asked.id.as_uuid()))
                .bind(rows::column(asked, |asked| asked.owner.as_ref().map(UserId::as_str)))
                .bind(rows::column(asked, |asked| asked.reason.as_str()))
                .bind(rows::column(asked, |asked| asked.now));
            if asked.iter().all(|asked| asked.entry.is_none()) {
                return end.fetch_all(&mut *connection).await;
            }
            let mut tx = connection.begin().await?;
            let ended = end.fetch_all(&mut *tx).await?;
            for row in &ended {
                let id = SessionId::from_uuid(row.try_get("id")?);
                let entry = asked.iter().find(|asked| asked.id == id).and_then(|asked| asked.entry.as_ref());
                add_entry(&mut tx, entry).await?;
            }
            tx.commit().await?;
            Ok(ended)
        };
        let ended = database.retry_idempotent(end).await?;
        rows::each(&ended, |row| columns::session(row).map(|session| Some(EndOutcome::Ended(Box::new(session)))))
    }

    async fn run_single(database: &Connections, asked: &EndingOfOne) -> Result<Option<EndOutcome>> {
        let end = || async {
            let mut connection = database.for_ending().await?;
            let mut write = AuditedWrite::begin(&mut connection, asked.entry.as_ref()).await?;
            let outcome = end_session(&mut write, asked).await?;
            write.finish(matches!(outcome, Some(EndOutcome::Ended(_)))).await?;
            Ok(outcome)
        };
        database.retry_idempotent(end).await
    }
}

async fn end_session(connection: &mut PgConnection, asked: &EndingOfOne) -> sqlx::Result<Option<EndOutcome>> {
    // A concurrent call may have ended the session after this statement began: FOR SHARE reads the row as that call left
    // it.
    const END: &str = concat!(
        "WITH ended AS (
            UPDATE sessions SET ended_at = $1, end_reason = $4
            WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ended_at IS NULL
            RETURNING ",
        columns!(),
        // The lock is written to the write-ahead log, so a repeat waits for the standby as the first ending did.
        "), already_ended AS (
            SELECT ",
        columns!(),
        " FROM sessions
            WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND NOT EXISTS (SELECT FROM ended) FOR SHARE
         )
         SELECT *, TRUE AS by_this_call FROM ended UNION ALL SELECT *, FALSE FROM already_ended"
    );
    let EndingOfOne { id, owner, reason, now, entry: _ } = asked;
    let end = sqlx::query(END)
        .bind(StoredTime(*now))
        .bind(id.as_uuid())
        .bind(owner.as_ref().map(UserId::as_str))
        .bind(reason.as_str());
    let Some(row) = end.fetch_optional(connection).await? else { return Ok(None) };
    let session = Box::new(columns::session(&row)?);
    let is_ended_now = row.try_get("by_this_call")?;
    Ok(Some(if is_ended_now { EndOutcome::Ended(session) } else { EndOutcome::AlreadyEnded(session) }))
}

pub(super) async fn end_sessions_of(
    executor: impl PgExecutor<'_>,
    user: &UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<EndedAtOnce> {
    // One minute of clock skew: by the clock of another replica a session may not have expired yet, and be refreshed.
    const END: &str = concat!(
        "WITH meant AS (
            SELECT id FROM sessions
            WHERE user_id = $2 AND ($3 IS NULL OR id <> $3) AND ended_at IS NULL AND expires_at > $1 - interval '1 minute'
            LIMIT $5 + 1
         ), locked AS (
            SELECT id FROM sessions
            WHERE id IN (SELECT id FROM meant) AND ended_at IS NULL AND (SELECT count(*) FROM meant) <= $5
            ORDER BY id FOR NO KEY UPDATE
         ), ended AS (
            UPDATE sessions SET ended_at = $1, end_reason = $4 FROM locked WHERE sessions.id = locked.id
            RETURNING sessions.id, expires_at > $1 AND ",
        not_idle!("last_seen_at"),
        " AS was_active
         )
         SELECT id, was_active FROM ended UNION ALL SELECT NULL, NULL WHERE (SELECT count(*) FROM meant) > $5"
    );
    let except = except.map(SessionId::as_uuid);
    let end = sqlx::query(END)
        .bind(StoredTime(now))
        .bind(user.as_str())
        .bind(except)
        .bind(reason.as_str())
        .bind(MAX_ENDED_AT_ONCE);
    rows::ended_together(&end.fetch_all(executor).await?)
}
