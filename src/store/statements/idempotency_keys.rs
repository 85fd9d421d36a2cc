//! Claims of idempotency keys.

/// Claims a key that has no claim. A claim that another transaction is about to make is waited for.
pub(in crate::store) const CLAIM_KEY: &str = "
    INSERT INTO idempotency_keys (service, key, fingerprint, session_id, created_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (service, key) DO NOTHING";

/// The claim of a key. The update changes nothing: it locks the row and returns it.
pub(in crate::store) const FIND_CLAIM: &str = "
    UPDATE idempotency_keys SET key = $2 WHERE service = $1 AND key = $2
    RETURNING fingerprint, session_id, created_at";

pub(in crate::store) const TAKE_OVER_KEY: &str = "
    UPDATE idempotency_keys SET fingerprint = $3, session_id = $4, created_at = $5
    WHERE service = $1 AND key = $2";

/// Whether an erased key has this text.
pub(in crate::store) const IS_ERASED: &str =
    "SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE service = $1 AND key = $2 AND created_at > $3)";
