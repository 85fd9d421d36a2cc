//! Claims of idempotency keys, and their erasure: a batch a transaction, so that no key is locked for long.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Row};
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

/// Claims the idempotency key for a session, waiting for a concurrent claim.
pub(super) async fn claim(
    tx: &mut PgConnection,
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

/// Keys of the sessions of user `$1`. An array, and the order, keep the planner at the index where it expects many rows.
pub(super) const OF_SESSIONS: &str = "
    SELECT service, key, session_id FROM idempotency_keys
    WHERE session_id = ANY(ARRAY(SELECT id FROM sessions WHERE user_id = $1)) AND fingerprint <> ''
    ORDER BY session_id LIMIT $2";
/// Keys kept as of service `$1`.
pub(super) const OF_SERVICE: &str = "
    SELECT service, key, session_id FROM idempotency_keys
    WHERE service = $1 AND fingerprint <> ''
    ORDER BY service, key LIMIT $2";

/// Erases a batch of the keys that `find` finds for `whose`, and answers whether there may be more.
pub(super) async fn erase_batch(pool: &PgPool, find: &'static str, whose: &str) -> sqlx::Result<bool> {
    // An equal key that was erased more than a day ago and not cleaned up yet has the same text.
    const REPLACE: &str = "
        DELETE FROM idempotency_keys AS kept USING unnest($1::text[], $2::text[]) AS erased (service, text)
        WHERE kept.service = erased.service AND kept.key = erased.text";
    // The session tells whether another request has taken the key over meanwhile.
    const ERASE: &str = "
        UPDATE idempotency_keys AS kept SET key = erased.text, fingerprint = ''
        FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS erased (service, text, key, session_id)
        WHERE kept.service = erased.service AND kept.key = erased.key AND kept.session_id = erased.session_id";
    let mut tx = pool.begin().await?;
    let rows = sqlx::query(find).bind(whose).bind(KEYS_ERASED_AT_ONCE).fetch_all(&mut *tx).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let (mut services, mut keys, mut texts, mut sessions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let (service, key): (String, String) = (row.try_get("service")?, row.try_get("key")?);
        texts.push(erased_key(&service, &key));
        services.push(service);
        keys.push(key);
        sessions.push(row.try_get::<Uuid, _>("session_id")?);
    }
    sqlx::query(REPLACE).bind(&services).bind(&texts).execute(&mut *tx).await?;
    sqlx::query(ERASE).bind(&services).bind(&texts).bind(&keys).bind(&sessions).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(i64::try_from(rows.len()).is_ok_and(|found| found >= KEYS_ERASED_AT_ONCE))
}

/// Whether an erased key was equal to this one. A statement of its own after the claim: a claim that waited for an erasure
/// does not see what that has written.
async fn is_erased(tx: &mut PgConnection, idempotency: &Idempotency) -> sqlx::Result<bool> {
    let Idempotency { service, key, fingerprint: _, forget_before } = idempotency;
    let is_erased = sqlx::query_scalar(IS_ERASED).bind(service).bind(erased_key(service, key));
    is_erased.bind(StoredTime(*forget_before)).fetch_one(tx).await
}
