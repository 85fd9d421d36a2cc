//! Counts of what happened to sessions.

use crate::model::{CountedEvent, EventCount, GroupCount};
use crate::store::columns::StoredRow;
use crate::store::values::OrUnreadable as _;

/// Counts the events from `$1` up to `$2`, and the endings from `$3` on.
macro_rules! count_events_of_span {
    () => {
        count_events!(
            "SELECT created_at AS at, client_id, device_type, 'opened' AS kind FROM sessions
             WHERE created_at >= $1 AND created_at < $2
             UNION ALL
             SELECT ended_at, client_id, device_type, end_reason FROM sessions
             WHERE ended_at >= $3 AND ended_at < $2 AND ended_at < expires_at
             UNION ALL
             SELECT expires_at, client_id, device_type, 'expired' FROM sessions
             WHERE expires_at >= $1 AND expires_at < $2 AND (ended_at IS NULL OR ended_at >= expires_at)"
        )
    };
}

pub(in crate::store) const RECORD_PROGRESS: &str =
    "UPDATE statistics_progress SET counted_until = $1, opened_until = $2";

pub(in crate::store) const COUNTED_UNTIL: &str = "SELECT counted_until FROM statistics_progress";

/// The counts that match, under the name of their group.
macro_rules! selected {
    () => {
        "SELECT CASE WHEN $3 = 'client_id' THEN client_id WHEN $3 = 'device_type' THEN device_type ELSE '' END
                AS name, start, step, kind, count FROM statistics
            WHERE ($1 IS NULL OR client_id = $1) AND ($2 IS NULL OR device_type = $2)"
    };
}

pub(in crate::store) const LIST_GROUPS: &str = concat!(
    "SELECT name,
        CAST(sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FILTER (WHERE step = 'ever') AS bigint) AS open,
        CAST(coalesce(sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FILTER (WHERE step <> 'ever'), 0)
            AS bigint) AS since
     FROM (",
    selected!(),
    "   AND (step = 'ever' OR step = 'hour' AND start >= $4 AND start < $5 OR step = 'day' AND start >= $5)
     ) AS selected GROUP BY name ORDER BY name LIMIT $6"
);

pub(in crate::store) const LIST_EVENTS: &str = concat!(
    "SELECT start, name, kind, CAST(sum(count) AS bigint) AS count FROM (",
    selected!(),
    "   AND step = $4 AND start >= $5 AND start < $6
     ) AS selected GROUP BY 1, 2, 3 ORDER BY 1"
);

pub(in crate::store) fn group_count(row: &impl StoredRow) -> sqlx::Result<GroupCount> {
    Ok(GroupCount { name: row.named("name")?, open: row.named("open")?, since: row.named("since")? })
}

pub(in crate::store) fn event_count(row: &impl StoredRow) -> sqlx::Result<EventCount> {
    Ok(EventCount {
        start: row.time("start")?,
        group: row.named("name")?,
        event: CountedEvent::parse(row.named("kind")?).or_unreadable("kind")?,
        count: row.named("count")?,
    })
}
