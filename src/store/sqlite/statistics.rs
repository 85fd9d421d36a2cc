//! Counting what happened to sessions, and reading what was counted.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, SqlitePool};

use super::failure::failure;
use super::rows;
use super::store::SqliteStore;
use crate::model::{CountedEvent, Counts, CountsWanted, DeviceType, EventCount, GroupCount, Grouping, OpenSessions};
use crate::store::contract::{BatchProgress, Result, StatisticsStore};
use crate::store::values::OrUnreadable;

#[async_trait]
impl StatisticsStore for SqliteStore {
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<BatchProgress> {
        self::roll_up(&self.writer, until).await.map_err(failure)
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        self::statistics(&self.searches, wanted).await.map_err(failure)
    }

    async fn open_sessions(&self) -> Result<OpenSessions> {
        self::open_sessions(&self.searches).await.map_err(failure)
    }
}

/// Adds events (`at`, `client_id`, `device_type`, `kind`) to each step that they are in.
macro_rules! count_events {
    ($events:expr) => {
        concat!(
            "INSERT INTO statistics (step, start, client_id, device_type, kind, count)
             SELECT step,
                CASE WHEN step = 'hour' THEN hour WHEN step = 'day' THEN hour - hour % 86400000000 ELSE 0 END AS beginning,
                client_id, device_type, kind, sum(count)
             FROM (
                SELECT at - at % 3600000000 AS hour, coalesce(client_id, '') AS client_id, device_type, kind,
                    count(*) AS count
                FROM (",
            $events,
            "   ) AS events GROUP BY 1, 2, 3, 4
             ) AS hourly, (SELECT 'hour' AS step UNION ALL SELECT 'day' UNION ALL SELECT 'ever') AS steps
             WHERE TRUE
             GROUP BY 1, 2, 3, 4, 5
             ON CONFLICT (step, start, client_id, device_type, kind) DO UPDATE
                SET count = statistics.count + excluded.count"
        )
    };
}

/// From `$1` up to `$2`; ends from `$3` on.
const COUNT: &str = count_events!(
    "SELECT created_at AS at, client_id, device_type, 'opened' AS kind FROM sessions
     WHERE created_at >= $1 AND created_at < $2
     UNION ALL
     SELECT ended_at, client_id, device_type, end_reason FROM sessions
     WHERE ended_at >= $3 AND ended_at < $2 AND ended_at < expires_at
     UNION ALL
     SELECT expires_at, client_id, device_type, 'expired' FROM sessions
     WHERE expires_at >= $1 AND expires_at < $2 AND (ended_at IS NULL OR ended_at >= expires_at)"
);

/// Ends at exactly `$1` of sessions opened after `$2` up to `$3`, found by when they were opened, because there are
/// thousands that ended then.
const COUNT_ENDED_TOGETHER: &str = count_events!(
    "SELECT ended_at AS at, client_id, device_type, end_reason AS kind FROM sessions
     WHERE created_at > $2 AND created_at <= coalesce($3, 9223372036854775807)
        AND +ended_at = $1 AND ended_at < expires_at"
);

const PROGRESS: &str = "UPDATE statistics_progress SET counted_until = $1, opened_until = $2";

pub(super) async fn roll_up(pool: &SqlitePool, until: DateTime<Utc>) -> sqlx::Result<BatchProgress> {
    // A bulk ending that is not carried out will give its sessions an end at its own time.
    const BEGIN: &str = "
        SELECT counted_until, opened_until,
            min($1, coalesce((SELECT min(at) FROM bulk_endings WHERE done_at IS NULL), $1)) AS until
        FROM statistics_progress";
    // Not more at once than is quickly done.
    const REACH: &str = "
        SELECT (SELECT ended_at FROM sessions WHERE ended_at >= $1 AND ended_at < $2
                ORDER BY ended_at LIMIT 1 OFFSET 1000),
            min(coalesce((SELECT created_at FROM sessions WHERE created_at >= $1 AND created_at < $2
                          ORDER BY created_at LIMIT 1 OFFSET 1000), $2),
                coalesce((SELECT expires_at FROM sessions WHERE expires_at >= $1 AND expires_at < $2
                          ORDER BY expires_at LIMIT 1 OFFSET 1000), $2))";
    const END_OF_SPAN: &str =
        "SELECT created_at FROM sessions WHERE created_at > $1 ORDER BY created_at LIMIT 1 OFFSET 999";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let row = sqlx::query(BEGIN).bind(until.timestamp_micros()).fetch_one(&mut *tx).await?;
    let (from, until): (i64, i64) = (row.try_get("counted_until")?, row.try_get("until")?);
    let opened_until: Option<i64> = row.try_get("opened_until")?;
    if until <= from {
        return Ok(BatchProgress::Done);
    }
    let reach = sqlx::query_as::<_, (Option<i64>, i64)>(REACH).bind(from).bind(until).fetch_one(&mut *tx).await?;
    let (ended_at, reach) = reach;
    let mut reach = reach.min(ended_at.unwrap_or(until)).max(from + 1);
    let mut ended_from = from;
    if opened_until.is_some() || ended_at == Some(from) {
        let opened_from = opened_until.unwrap_or(0);
        let span_end: Option<i64> = sqlx::query_scalar(END_OF_SPAN).bind(opened_from).fetch_optional(&mut *tx).await?;
        let count = sqlx::query(COUNT_ENDED_TOGETHER).bind(from).bind(opened_from).bind(span_end);
        count.execute(&mut *tx).await?;
        if span_end.is_some() {
            sqlx::query(PROGRESS).bind(from).bind(span_end).execute(&mut *tx).await?;
            tx.commit().await?;
            return Ok(BatchProgress::More);
        }
        (reach, ended_from) = (from + 1, from + 1);
    }
    sqlx::query(COUNT).bind(from).bind(reach).bind(ended_from).execute(&mut *tx).await?;
    sqlx::query(PROGRESS).bind(reach).bind(None::<i64>).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(BatchProgress::of_batch(reach < until))
}

pub(super) async fn open_sessions(pool: &SqlitePool) -> sqlx::Result<OpenSessions> {
    const READ: &str = "
        SELECT counted_until, coalesce((
            SELECT sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FROM statistics WHERE step = 'ever'
        ), 0) AS open
        FROM statistics_progress";
    let row = sqlx::query(READ).fetch_one(pool).await?;
    Ok(OpenSessions { number: row.try_get("open")?, counted_until: rows::time(&row, "counted_until")? })
}

/// The counts that are wanted, and the name of their group.
macro_rules! selected {
    () => {
        "SELECT CASE WHEN $3 = 'client_id' THEN client_id WHEN $3 = 'device_type' THEN device_type ELSE '' END \
                AS name, start, step, kind, count FROM statistics \
         WHERE ($1 IS NULL OR client_id = $1) AND ($2 IS NULL OR device_type = $2)"
    };
}

pub(super) async fn statistics(pool: &SqlitePool, wanted: CountsWanted<'_>) -> sqlx::Result<Counts> {
    const GROUPS: &str = concat!(
        "SELECT name, sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FILTER (WHERE step = 'ever') AS open,
            coalesce(sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FILTER (WHERE step <> 'ever'), 0)
                AS since
         FROM (",
        selected!(),
        "   AND (step = 'ever' OR step = 'hour' AND start >= $4 AND start < $5 OR step = 'day' AND start >= $5)
         ) AS selected GROUP BY name ORDER BY name LIMIT $6"
    );
    const EVENTS: &str = concat!(
        "SELECT start, name, kind, sum(count) AS count FROM (",
        selected!(),
        " AND step = $4 AND start >= $5 AND start < $6) AS selected GROUP BY 1, 2, 3 ORDER BY 1"
    );
    let CountsWanted { from, to, midnight, query, most_groups } = wanted;
    let select = |sql| {
        sqlx::query(sql)
            .bind(&query.client_id)
            .bind(query.device_type.map(DeviceType::as_str))
            .bind(query.group_by.map(Grouping::as_str))
    };
    let mut tx = pool.begin().await?;
    let progress = sqlx::query("SELECT counted_until FROM statistics_progress").fetch_one(&mut *tx).await?;
    let counted_until = rows::time(&progress, "counted_until")?;
    let most = i64::try_from(most_groups).unwrap_or(i64::MAX - 1) + 1;
    let (to, midnight) = (to.timestamp_micros(), midnight.timestamp_micros());
    let rows = select(GROUPS).bind(to).bind(midnight).bind(most).fetch_all(&mut *tx).await?;
    let groups: Vec<_> = rows
        .iter()
        .map(|row| {
            Ok(GroupCount { name: row.try_get("name")?, open: row.try_get("open")?, since: row.try_get("since")? })
        })
        .collect::<sqlx::Result<_>>()?;
    if groups.len() > most_groups {
        return Ok(Counts { counted_until, groups, events: Vec::new() });
    }
    let select = select(EVENTS).bind(query.step.as_str()).bind(from.timestamp_micros()).bind(to);
    let rows = select.fetch_all(&mut *tx).await?;
    let event = |row: &sqlx::sqlite::SqliteRow| {
        let event = CountedEvent::parse(row.try_get("kind")?).or_unreadable("kind")?;
        Ok(EventCount {
            start: rows::time(row, "start")?,
            group: row.try_get("name")?,
            event,
            count: row.try_get("count")?,
        })
    };
    Ok(Counts { counted_until, groups, events: rows.iter().map(event).collect::<sqlx::Result<_>>()? })
}
