//! Ending many sessions by one row, and applying that bulk ending to their own rows.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgPool, Row};

use super::store::PostgresStore;
use crate::model::{BulkEnding, DeviceType, SessionId, UserId};
use crate::store::contract::{BulkEndingStore, Result};
use crate::store::values;

#[async_trait]
impl BulkEndingStore for PostgresStore {
    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()> {
        self.database
            .retry_idempotent(
                || async move { self::end_in_bulk(&mut *self.database.for_ending().await?, ending).await },
            )
            .await
    }

    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>> {
        self.read(|| self::bulk_endings(&self.database.pool, since)).await
    }

    async fn apply_bulk_ending(&self, now: DateTime<Utc>) -> Result<Option<bool>> {
        self.database.retry_if_rolled_back(|| self::apply_bulk_ending(&self.database.pool, now)).await
    }
}

/// Advisory lock key: "bulkend" in ASCII, unique within this database.
const CARRYING_OUT_LOCK: i64 = 0x0062_756c_6b65_6e64;

pub(super) async fn end_in_bulk(connection: &mut PgConnection, ending: &BulkEnding) -> sqlx::Result<()> {
    // The lock on `sessions` waits for sessions that are being opened and blocks new ones, so that the newest session
    // marks exactly which ones are older than this bulk ending.
    const LOCK: &str = "LOCK TABLE bulk_endings, sessions IN SHARE ROW EXCLUSIVE MODE";
    const END: &str = "
        WITH made AS (
            INSERT INTO bulk_endings (sequence, at, reason, opened_until, opened_from, user_id, client_id, device_type,
                ip_address, opened_by, except_id)
            SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM bulk_endings), $1, $2,
                least($3 - interval '1 microsecond',
                      (SELECT created_at FROM sessions WHERE $5 IS NULL OR user_id = $5
                       ORDER BY created_at DESC, id DESC LIMIT 1)),
                $4, $5, $6, $7, $8, $9, $10
            WHERE EXISTS (SELECT FROM sessions WHERE $5 IS NULL OR user_id = $5)
            RETURNING sequence
        )
        SELECT sequence FROM made";
    let BulkEnding { filter, except, ended } = ending;
    // A custom plan: with a user the newest session is found by another index than without.
    let mut tx = connection.begin_with("BEGIN; SET LOCAL plan_cache_mode = force_custom_plan").await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    sqlx::query(END)
        .bind(ended.at)
        .bind(ended.reason.as_str())
        .bind(filter.created.to)
        .bind(filter.created.from)
        .bind(filter.user_id.as_ref().map(UserId::as_str))
        .bind(&filter.client_id)
        .bind(filter.device_type.map(DeviceType::as_str))
        .bind(filter.ip_address.map(|address| address.to_string()))
        .bind(filter.opened_by.map(|opener| opener.to_string()))
        .bind(except.map(SessionId::as_uuid))
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

pub(super) async fn bulk_endings(pool: &PgPool, since: DateTime<Utc>) -> sqlx::Result<Vec<BulkEnding>> {
    const LIST: &str = "
        SELECT at, reason, opened_until, opened_from, user_id, client_id, device_type, ip_address, opened_by, except_id
        FROM bulk_endings WHERE at >= $1 ORDER BY sequence";
    let rows = sqlx::query(LIST).bind(since).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            let stored = values::StoredBulkEnding {
                ended: values::stored_ended(row.try_get("at")?, row.try_get::<Option<&str>, _>("reason")?)?,
                opened_until: row.try_get("opened_until")?,
                opened_from: row.try_get("opened_from")?,
                user: row.try_get("user_id")?,
                client: row.try_get("client_id")?,
                device_type: row.try_get("device_type")?,
                address: row.try_get("ip_address")?,
                opened_by: row.try_get("opened_by")?,
                except: row.try_get("except_id")?,
            };
            stored.read()
        })
        .collect()
}

pub(super) async fn apply_bulk_ending(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Option<bool>> {
    const FIND: &str = "SELECT sequence, user_id FROM bulk_endings WHERE done_at IS NULL ORDER BY sequence LIMIT 1";
    /// Walks the sessions in the order of their creation, one span at a time, whether they are covered or not.
    macro_rules! carry_out {
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
                    SELECT sessions.id FROM sessions JOIN span USING (id), ending AS b
                    WHERE sessions.ended_at IS NULL AND sessions.expires_at > b.at - interval '1 minute'
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
    // A trigger refuses versions without `knows_openers`, which would end more sessions than the filter covers.
    const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL sojourn.carrying_out = 'on'; \
                         SET LOCAL sojourn.knows_openers = 'on'";
    let mut tx = pool.begin_with(BEGIN).await?;
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(CARRYING_OUT_LOCK);
    if !lock.fetch_one(&mut *tx).await? {
        return Ok(None);
    }
    let Some(row) = sqlx::query(FIND).fetch_optional(&mut *tx).await? else { return Ok(None) };
    let (sequence, user): (i64, Option<String>) = (row.try_get("sequence")?, row.try_get("user_id")?);
    let carry_out = match user {
        None => sqlx::query_scalar(carry_out!("TRUE")).bind(sequence).bind(now),
        Some(user) => sqlx::query_scalar(carry_out!("user_id = $3")).bind(sequence).bind(now).bind(user),
    };
    let more = carry_out.fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(Some(more))
}
