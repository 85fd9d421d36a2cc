//! Bulk endings: one row for many sessions, applied to their own rows afterwards.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgPool, Row};

use super::audit::add_entry;
use super::store::PostgresStore;
use crate::model::{AuditEntry, BulkEnding, DeviceType, SessionId, UserId};
use crate::store::contract::{BatchProgress, BulkEndingStore, Result};
use crate::store::statements::bulk_endings::{LIST_BULK_ENDINGS, bulk_ending, network_to_store, users};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl BulkEndingStore for PostgresStore {
    async fn end_in_bulk(&self, ending: &BulkEnding, entry: Option<&AuditEntry>) -> Result<()> {
        let end = || async { self::end_in_bulk(&mut *self.database.for_ending().await?, ending, entry).await };
        self.database.retry_idempotent(end).await
    }

    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>> {
        let list = || async {
            let list = sqlx::query(LIST_BULK_ENDINGS).bind(StoredTime(since));
            list.fetch_all(&self.database.pool).await?.iter().map(bulk_ending).collect()
        };
        self.read(list).await
    }

    async fn apply_bulk_ending(&self, now: DateTime<Utc>) -> Result<BatchProgress> {
        self.database.retry_if_rolled_back(|| self::apply_bulk_ending(&self.database.pool, now)).await
    }
}

/// Advisory lock key: "bulkend" in ASCII, unique within this database.
const APPLYING_LOCK: i64 = 0x0062_756c_6b65_6e64;

async fn end_in_bulk(
    connection: &mut PgConnection,
    ending: &BulkEnding,
    entry: Option<&AuditEntry>,
) -> sqlx::Result<()> {
    // The second lock waits for who is opening a session and holds up who comes next, so that the newest session there
    // is tells exactly which ones are older than this.
    const LOCK: &str = "LOCK TABLE bulk_endings, sessions IN SHARE ROW EXCLUSIVE MODE";
    const END: &str = "
        WITH made AS (
            INSERT INTO bulk_endings (sequence, at, reason, opened_until, opened_from, user_id, client_id, device_type,
                ip_address, opened_by, except_id, ip_first, ip_last, browser, os)
            SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM bulk_endings), $1, $2,
                least($3 - interval '1 microsecond',
                      (SELECT created_at FROM sessions WHERE $5 IS NULL OR user_id = $5
                       ORDER BY created_at DESC, id DESC LIMIT 1)),
                $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
            WHERE EXISTS (SELECT FROM sessions WHERE $5 IS NULL OR user_id = $5)
            RETURNING sequence
        )
        SELECT sequence FROM made";
    let BulkEnding { filter, except, ended } = ending;
    // Planned for these very values: with a user the newest session is found by another index than without.
    let mut tx = connection.begin_with("BEGIN; SET LOCAL plan_cache_mode = force_custom_plan").await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    let [address, first, last] = network_to_store(filter.ip_address);
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
}

async fn apply_bulk_ending(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<BatchProgress> {
    const FIND: &str = "SELECT sequence, user_id FROM bulk_endings WHERE done_at IS NULL ORDER BY sequence LIMIT 1";
    /// Goes through the sessions in the order of their opening, a span at a time, whether they are meant or not. An array
    /// of ids, because the planner takes the conditions for rarer than they are, and would join by nested loops.
    macro_rules! apply {
        ($of_user:literal) => {
            concat!(
                "WITH ending AS (
                    SELECT * FROM bulk_endings WHERE sequence = $1
                 ), span AS MATERIALIZED (
                    SELECT id, created_at FROM sessions
                    WHERE ",
                $of_user,
                " AND created_at <= (SELECT opened_until FROM ending)
                      AND (created_at, id) > (
                          SELECT coalesce(reached_at, opened_from - interval '1 microsecond', '-infinity'),
                                 coalesce(reached_id, '00000000-0000-0000-0000-000000000000')
                          FROM ending)
                    ORDER BY created_at, id LIMIT 5000
                 ), meant AS (
                    SELECT sessions.id FROM sessions, ending AS b
                    WHERE sessions.id = ANY (ARRAY(SELECT id FROM span)) AND sessions.ended_at IS NULL
                        AND sessions.expires_at > b.at - interval '1 minute'
                        AND ",
                covered!(),
                "   ORDER BY sessions.id FOR NO KEY UPDATE OF sessions
                 ), ended AS (
                    UPDATE sessions SET ended_at = ending.at, end_reason = ending.reason
                    FROM meant, ending WHERE sessions.id = meant.id
                 ), last AS (
                    SELECT id, created_at FROM span ORDER BY created_at DESC, id DESC LIMIT 1
                 )
                 UPDATE bulk_endings SET reached_at = coalesce((SELECT created_at FROM last), reached_at),
                    reached_id = coalesce((SELECT id FROM last), reached_id),
                    done_at = CASE WHEN (SELECT count(*) FROM span) < 5000 THEN $2 END
                 WHERE sequence = $1
                 RETURNING done_at IS NULL"
            )
        };
    }
    // The last words let a trigger tell this version from one that would end more than is meant.
    const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL sojourn.carrying_out = 'on'; \
                         SET LOCAL sojourn.knows_openers = 'on'; SET LOCAL sojourn.knows_networks = 'on'";
    let mut tx = pool.begin_with(BEGIN).await?;
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(APPLYING_LOCK);
    if !lock.fetch_one(&mut *tx).await? {
        return Ok(BatchProgress::Idle);
    }
    let Some(row) = sqlx::query(FIND).fetch_optional(&mut *tx).await? else { return Ok(BatchProgress::Idle) };
    let (sequence, user): (i64, Option<String>) = (row.try_get("sequence")?, row.try_get("user_id")?);
    let apply = match user {
        None => sqlx::query_scalar(apply!("TRUE")).bind(sequence).bind(StoredTime(now)),
        Some(user) => sqlx::query_scalar(apply!("user_id = $3")).bind(sequence).bind(StoredTime(now)).bind(user),
    };
    let more = apply.fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(BatchProgress::of_batch(more))
}
