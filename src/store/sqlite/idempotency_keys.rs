//! Claims of idempotency keys, and their erasure: a batch a transaction, because nobody else writes meanwhile.

use chrono::{DateTime, Utc};
use sqlx::{Row, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::sessions;
use crate::model::{SessionId, SignedIn};
use crate::store::columns::StoredRow as _;
use crate::store::contract::Idempotency;
use crate::store::statements::idempotency_keys::{CLAIM_KEY, FIND_CLAIM, IS_ERASED, TAKE_OVER_KEY};
use crate::store::stored_time::StoredTime;
use crate::store::values::{KEYS_ERASED_AT_ONCE, erased_key};

/// The outcome of a claim of an idempotency key.
pub(super) enum Claim {
    /// The key is claimed now.
    New,
    /// An earlier request with the same fingerprint claimed it, for this session.
    Earlier(Box<SignedIn>),
    /// An earlier request with another fingerprint claimed it.
    Reused,
}

/// Claims the idempotency key for a session, which no other claim can be under way for.
pub(super) async fn claim(
    tx: &mut SqliteConnection,
    idempotency: &Idempotency,
    session: SessionId,
    now: DateTime<Utc>,
) -> sqlx::Result<Claim> {
    let Idempotency { service, key, fingerprint, forget_before } = idempotency;
    let claim =
        |sql| sqlx::query(sql).bind(service).bind(key).bind(fingerprint).bind(session.as_uuid()).bind(StoredTime(now));
    // An earlier claim may be erased or cleaned up before it is found.
    let found = loop {
        if claim(CLAIM_KEY).execute(&mut *tx).await?.rows_affected() > 0 {
            return Ok(if is_erased(tx, idempotency).await? { Claim::Reused } else { Claim::New });
        }
        if let Some(found) = sqlx::query(FIND_CLAIM).bind(service).bind(key).fetch_optional(&mut *tx).await? {
            break found;
        }
    };
    if found.time("created_at")? > *forget_before {
        if found.try_get::<Vec<u8>, _>("fingerprint")? != *fingerprint {
            return Ok(Claim::Reused);
        }
        let holder = SessionId::from_uuid(found.try_get::<Uuid, _>("session_id")?);
        if let Some(signed_in) = sessions::sessions_of_tokens(&mut *tx, &[holder]).await?.pop() {
            return Ok(Claim::Earlier(Box::new(signed_in)));
        }
    }
    // The key is past its time, or its session has been cleaned up: it may be claimed again.
    claim(TAKE_OVER_KEY).execute(tx).await?;
    Ok(Claim::New)
}

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
async fn is_erased(tx: &mut SqliteConnection, idempotency: &Idempotency) -> sqlx::Result<bool> {
    let Idempotency { service, key, fingerprint: _, forget_before } = idempotency;
    let is_erased = sqlx::query_scalar(IS_ERASED).bind(service).bind(erased_key(service, key));
    is_erased.bind(StoredTime(*forget_before)).fetch_one(tx).await
}
