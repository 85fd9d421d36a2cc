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
