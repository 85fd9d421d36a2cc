//! Counting ended sessions, and deleting rows past their retention: small batches, because each blocks all other
//! writes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqlitePool;

use super::audit::AuditedWrite;
use super::failure::{failure, search_failure};
use super::store::SqliteStore;
use crate::model::{AuditEntry, Stale};
use crate::store::contract::{Result, RetentionStore};
use crate::store::statements::retention::{COUNT_ENDED, DELETE_BULK_ENDINGS};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn delete_stale(&self, stale: Stale<'_>, _alone: bool, entry: Option<&AuditEntry>) -> Result<Option<u64>> {
        self::delete_stale(&self.writer, stale, entry).await.map(Some).map_err(failure)
    }

    async fn count_ended_before(&self, instant: DateTime<Utc>) -> Result<u64> {
        let count = sqlx::query_scalar::<_, i64>(COUNT_ENDED).bind(StoredTime(instant));
        Ok(count.fetch_one(&self.searches).await.map_err(search_failure)?.unsigned_abs())
    }
}

/// Only one process can delete at a time, because there is one writer.
async fn delete_stale(pool: &SqlitePool, stale: Stale<'_>, entry: Option<&AuditEntry>) -> sqlx::Result<u64> {
    const EXPIRED: &str = "
        DELETE FROM sessions WHERE rowid IN (
            SELECT rowid FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000
        )";
    const ENDED: &str = "
        DELETE FROM sessions WHERE rowid IN (
            SELECT rowid FROM sessions WHERE ended_at <= $1 ORDER BY ended_at LIMIT 1000
        )";
    const EXPIRED_OF: &str = concat!(
        "DELETE FROM sessions WHERE rowid IN (
            SELECT rowid FROM sessions
            WHERE user_id = $2 AND ended_at IS NULL AND (expires_at <= $3 OR NOT ",
        not_idle!("last_seen_at"),
        ") LIMIT 1000
        )"
    );
    const IDEMPOTENCY_KEYS: &str = "
        DELETE FROM idempotency_keys WHERE (service, key) IN (
            SELECT service, key FROM idempotency_keys WHERE created_at <= $1 LIMIT 1000
        )";
    const ONE_TIME_LINKS: &str = "
        DELETE FROM one_time_links WHERE hash IN (
            SELECT hash FROM one_time_links WHERE expires_at <= $1 LIMIT 1000
        )";
    const AUDIT_ENTRIES: &str = "
        DELETE FROM audit WHERE sequence IN (SELECT sequence FROM audit WHERE at <= $1 ORDER BY at LIMIT 1000)";
    let delete = match stale {
        Stale::Expired(instant) => sqlx::query(EXPIRED).bind(StoredTime(instant)),
        Stale::Ended(instant) => sqlx::query(ENDED).bind(StoredTime(instant)),
        Stale::ExpiredOf { user, at, idle_at } => {
            sqlx::query(EXPIRED_OF).bind(StoredTime(idle_at)).bind(user.as_str()).bind(StoredTime(at))
        }
        Stale::IdempotencyKeys(instant) => sqlx::query(IDEMPOTENCY_KEYS).bind(StoredTime(instant)),
        Stale::OneTimeLinks(instant) => sqlx::query(ONE_TIME_LINKS).bind(StoredTime(instant)),
        Stale::AuditEntries(instant) => sqlx::query(AUDIT_ENTRIES).bind(StoredTime(instant)),
        Stale::BulkEndings(instant) => sqlx::query(DELETE_BULK_ENDINGS).bind(StoredTime(instant)),
    };
    let mut connection = pool.acquire().await?;
    let mut write = AuditedWrite::begin(&mut connection, entry).await?;
    let deleted = delete.execute(&mut *write).await?.rows_affected();
    write.finish(deleted > 0).await?;
    Ok(deleted)
}
