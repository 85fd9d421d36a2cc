//! Ends of sessions.

/// Ends a session of a user that has not expired, and returns whether it was active.
macro_rules! end_active_session {
    () => {
        concat!(
            "UPDATE sessions SET ended_at = $1, end_reason = $4
             WHERE id = $2 AND user_id = $3 AND ended_at IS NULL AND expires_at > $1
             RETURNING ",
            not_idle!("last_seen_at"),
            " AS was_active"
        )
    };
}

/// Ends a session that a new one of the same user replaces, and returns whether it was active.
macro_rules! end_replaced_session {
    () => {
        concat!(
            "UPDATE sessions SET ended_at = $1, end_reason = $4
             WHERE id = $2 AND user_id = $3 AND ($5 IS NULL OR client_id = $5) AND ended_at IS NULL
             RETURNING expires_at > $1 AND ",
            not_idle!("last_seen_at"),
            " AS was_active"
        )
    };
}

/// Whether a session that cannot be ended as replaced exists all the same, because it has ended before.
pub(in crate::store) const EXISTS_TO_REPLACE: &str = "
    SELECT EXISTS (SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND ($3 IS NULL OR client_id = $3))";
