//! Erasure of idempotency keys, a batch a transaction, because nobody else writes meanwhile.

use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::store::contract::Idempotency;
use crate::store::statements::idempotency_keys::IS_ERASED;
use crate::store::stored_time::StoredTime;
use crate::store::values::{KEYS_ERASED_AT_ONCE, erased_key};

/// Keys of the sessions of user `$1`.
pub(super) const OF_SESSIONS: &str = "
    SELECT service, key FROM idempotency_keys
    WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1) AND fingerprint <> x''
    LIMIT $2";
/// Keys kept as of service `$1`.
pub(super) const OF_SERVICE: &str =
    "SELECT service, key FROM idempotency_keys WHERE service = $1 AND fingerprint <> x'' LIMIT $2";

/// Erases a batch of the keys that `find` finds for `whose`, and answers whether there may be more.
pub(super) async fn erase_batch(pool: &SqlitePool, find: &'static str, whose: &str) -> sqlx::Result<bool> {
    // An equal key that was erased more than a day ago and not cleaned up yet has the same text: it is replaced.
    const ERASE: &str = "
        UPDATE OR REPLACE idempotency_keys SET key = $3, fingerprint = x''
        WHERE service = $1 AND key = $2";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let rows = sqlx::query(find).bind(whose).bind(KEYS_ERASED_AT_ONCE).fetch_all(&mut *tx).await?;
    for row in &rows {
        let (service, key): (String, String) = (row.try_get("service")?, row.try_get("key")?);
        let text = erased_key(&service, &key);
        sqlx::query(ERASE).bind(service).bind(key).bind(text).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(i64::try_from(rows.len()).is_ok_and(|found| found >= KEYS_ERASED_AT_ONCE))
}

/// Whether an erased key was equal to this one.
pub(super) async fn is_erased(tx: &mut SqliteConnection, idempotency: &Idempotency) -> sqlx::Result<bool> {
    let Idempotency { service, key, fingerprint: _, forget_before } = idempotency;
    let is_erased = sqlx::query_scalar(IS_ERASED).bind(service).bind(erased_key(service, key));
    is_erased.bind(StoredTime(*forget_before)).fetch_one(tx).await
}
