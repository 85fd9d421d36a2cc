//! Counting ended sessions, and deleting rows past their retention: one batch in a transaction, so that no lock is held
//! long.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::audit::add_entry;
use super::store::PostgresStore;
use crate::model::{AuditEntry, Stale};
use crate::store::contract::{Result, RetentionStore};
use crate::store::statements::retention::{COUNT_ENDED, DELETE_BULK_ENDINGS};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl RetentionStore for PostgresStore {
    async fn delete_stale(&self, stale: Stale<'_>, alone: bool, entry: Option<&AuditEntry>) -> Result<Option<u64>> {
        self.database.retry_if_rolled_back(|| self::delete_stale(&self.database.pool, stale, alone, entry)).await
    }

    async fn count_ended_before(&self, instant: DateTime<Utc>) -> Result<u64> {
        let count = || async {
            let count = sqlx::query_scalar::<_, i64>(COUNT_ENDED).bind(StoredTime(instant));
            Ok(count.fetch_one(&self.database.searches).await?.unsigned_abs())
        };
        self.search(count).await
    }
}

/// Advisory lock key: "cleanup" in ASCII, unique within this database.
const CLEANING_LOCK: i64 = 0x0063_6c65_616e_7570;

async fn delete_stale(
    pool: &PgPool,
    stale: Stale<'_>,
    alone: bool,
    entry: Option<&AuditEntry>,
) -> sqlx::Result<Option<u64>> {
    const EXPIRED: &str = "
        DELETE FROM sessions WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))";
    const ENDED: &str = "
        DELETE FROM sessions WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM sessions WHERE ended_at <= $1 ORDER BY ended_at LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))";
    const EXPIRED_OF: &str = concat!(
        "DELETE FROM sessions WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM sessions
            WHERE user_id = $2 AND ended_at IS NULL AND (expires_at <= $3 OR NOT ",
        not_idle!("last_seen_at"),
        ") LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))"
    );
    const IDEMPOTENCY_KEYS: &str = "
        DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM idempotency_keys WHERE created_at <= $1 LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))";
    const ONE_TIME_LINKS: &str = "
        DELETE FROM one_time_links WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM one_time_links WHERE expires_at <= $1 LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))";
    const AUDIT_ENTRIES: &str = "
        DELETE FROM audit WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM audit WHERE at <= $1 ORDER BY at LIMIT 5000 FOR UPDATE SKIP LOCKED
        ))";
    let mut tx = pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await?;
    if alone {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(CLEANING_LOCK);
        if !lock.fetch_one(&mut *tx).await? {
            return Ok(None);
        }
    }
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
    let deleted = delete.execute(&mut *tx).await?.rows_affected();
    add_entry(&mut tx, entry.filter(|_| deleted > 0)).await?;
    tx.commit().await?;
    Ok(Some(deleted))
}
