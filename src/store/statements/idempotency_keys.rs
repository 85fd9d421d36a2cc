//! Claims of idempotency keys.

/// Claims a key. The update of an earlier claim changes nothing: it locks the row and returns it, which DO NOTHING
/// would not.
pub(in crate::store) const CLAIM_KEY: &str = "
    INSERT INTO idempotency_keys (service, key, fingerprint, session_id, created_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (service, key) DO UPDATE SET key = excluded.key
    RETURNING fingerprint, session_id, created_at";

pub(in crate::store) const TAKE_OVER_KEY: &str = "
    UPDATE idempotency_keys SET fingerprint = $3, session_id = $4, created_at = $5
    WHERE service = $1 AND key = $2";

/// Whether an erased key has this text.
pub(in crate::store) const IS_ERASED: &str =
    "SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE service = $1 AND key = $2 AND created_at > $3)";
