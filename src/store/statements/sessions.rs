//! Sessions once they are open.

use crate::model::SessionStats;
use crate::store::columns::StoredRow;

macro_rules! find_session {
    () => {
        concat!("SELECT ", as_they_stand!(columns), " FROM sessions WHERE id = $1 AND ($2 IS NULL OR user_id = $2)")
    };
}

macro_rules! list_active_sessions_opened {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE user_id = $2 AND created_at >= $3 AND created_at < $4 AND ",
            active!(),
            " ORDER BY created_at DESC, id DESC LIMIT $5"
        )
    };
}

macro_rules! count_active_sessions {
    () => {
        concat!("SELECT count(*) FROM sessions WHERE user_id = $2 AND ", active!())
    };
}

/// Counts the sessions of a user by their states. Ended ones are in neither count.
macro_rules! count_sessions_by_state {
    () => {
        concat!(
            "SELECT count(*) FILTER (WHERE ",
            active!(),
            ") AS active, count(*) FILTER (WHERE NOT ",
            active!(),
            ") AS expired FROM sessions WHERE user_id = $2 AND ended_at IS NULL AND ",
            not_ended_in_bulk!()
        )
    };
}

macro_rules! change_session {
    () => {
        concat!(
            "UPDATE sessions SET device_name = CASE WHEN $4 THEN $5 ELSE device_name END,
                metadata = coalesce($6, metadata), claims = nullif(coalesce($7, claims), '{}')
             WHERE id = $2 AND ($3 IS NULL OR user_id = $3) AND ",
            active!(),
            " RETURNING ",
            columns!()
        )
    };
}

pub(in crate::store) fn session_stats(row: &impl StoredRow) -> sqlx::Result<SessionStats> {
    let count = |column| row.named::<i64>(column).map(i64::unsigned_abs);
    Ok(SessionStats { active: count("active")?, expired: count("expired")? })
}
