//! Bulk endings: one row for many sessions, applied to their own rows afterwards.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, SqlitePool};

use super::audit::add_entry;
use super::failure::failure;
use super::store::SqliteStore;
use crate::model::{AuditEntry, BulkEnding, DeviceType, SessionId, UserId};
use crate::store::contract::{BatchProgress, BulkEndingStore, Result};
use crate::store::statements::bulk_endings::{LIST_BULK_ENDINGS, bulk_ending, network_to_store, users};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl BulkEndingStore for SqliteStore {
    async fn end_in_bulk(&self, ending: &BulkEnding, entry: Option<&AuditEntry>) -> Result<()> {
        // There is one writer, so the newest session there is tells exactly which ones are older than this.
        const END: &str = "
            INSERT INTO bulk_endings (sequence, at, reason, opened_until, opened_from, user_id, client_id, device_type,
                ip_address, opened_by, except_id, ip_first, ip_last, browser, os)
            SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM bulk_endings), $1, $2,
                min(coalesce($3 - 1, newest), newest), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
            FROM (SELECT max(created_at) AS newest FROM sessions WHERE $5 IS NULL OR user_id = $5)
            WHERE newest IS NOT NULL";
        let BulkEnding { filter, except, ended } = ending;
        let [address, first, last] = network_to_store(filter.ip_address);
        let end = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            for user in users(filter) {
                sqlx::query(END)
                    .bind(StoredTime(ended.at))
                    .bind(ended.reason.as_str())
                    .bind(filter.created.to.map(StoredTime))
                    .bind(filter.created.from.map(StoredTime))
                    .bind(user.map(UserId::as_str))
                    .bind(&filter.client_id)
                    .bind(filter.device_type.map(DeviceType::as_str))
                    .bind(&address)
                    .bind(filter.opened_by.map(|opener| opener.to_string()))
                    .bind(except.map(SessionId::as_uuid))
                    .bind(&first)
                    .bind(&last)
                    .bind(&filter.browser)
                    .bind(&filter.os)
                    .execute(&mut *tx)
                    .await?;
            }
            add_entry(&mut tx, entry).await?;
            tx.commit().await
        };
        end.await.map_err(failure)
    }

    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>> {
        let list = sqlx::query(LIST_BULK_ENDINGS).bind(StoredTime(since));
        let rows = list.fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(bulk_ending).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn apply_bulk_ending(&self, now: DateTime<Utc>) -> Result<BatchProgress> {
        self::apply_bulk_ending(&self.writer, now).await.map_err(failure)
    }
}

async fn apply_bulk_ending(pool: &SqlitePool, now: DateTime<Utc>) -> sqlx::Result<BatchProgress> {
    // 3 lets triggers tell this version from one that would end more than is meant.
    const BEGIN: &str = "
        UPDATE bulk_endings SET carrying_out = 3
        WHERE sequence = (SELECT min(sequence) FROM bulk_endings WHERE done_at IS NULL)
        RETURNING sequence, opened_until, coalesce(reached_at, opened_from - 1, 0) AS reached_at,
            coalesce(reached_id, x'') AS reached_id";
    // A batch is a span of sessions in the order of their opening, whether they match or not.
    const END_OF_SPAN: &str = "
        SELECT created_at, id FROM sessions WHERE created_at <= $1 AND (created_at, id) > ($2, $3)
        ORDER BY created_at, id LIMIT 1 OFFSET 999";
    const END: &str = concat!(
        "UPDATE sessions SET ended_at = b.at, end_reason = b.reason FROM bulk_endings AS b
         WHERE b.sequence = $1 AND (sessions.created_at, sessions.id) > ($2, $3)
            AND (sessions.created_at, sessions.id) <= ($4, $5)
            AND sessions.ended_at IS NULL AND sessions.expires_at > b.at - 60000000 AND ",
        covered!()
    );
    const REACHED: &str = "
        UPDATE bulk_endings SET carrying_out = FALSE, reached_at = $2, reached_id = $3, done_at = $4 WHERE sequence = $1";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let Some(row) = sqlx::query(BEGIN).fetch_optional(&mut *tx).await? else { return Ok(BatchProgress::Idle) };
    let (sequence, until): (i64, StoredTime) = (row.try_get("sequence")?, row.try_get("opened_until")?);
    let (from_at, from_id): (StoredTime, Vec<u8>) = (row.try_get("reached_at")?, row.try_get("reached_id")?);
    let end_of_span: Option<(StoredTime, Vec<u8>)> =
        sqlx::query_as(END_OF_SPAN).bind(until).bind(from_at).bind(&from_id).fetch_optional(&mut *tx).await?;
    let more = end_of_span.is_some();
    let (to_at, to_id) = end_of_span.unwrap_or_else(|| (until, vec![u8::MAX; 16]));
    let end = sqlx::query(END).bind(sequence).bind(from_at).bind(from_id).bind(to_at).bind(&to_id);
    end.execute(&mut *tx).await?;
    let done_at = (!more).then_some(StoredTime(now));
    sqlx::query(REACHED).bind(sequence).bind(to_at).bind(to_id).bind(done_at).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(BatchProgress::of_batch(more))
}
