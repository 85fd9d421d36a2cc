//! Counting events of sessions, and reading the counts.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::SqlitePool;

use super::failure::failure;
use super::store::SqliteStore;
use crate::model::{Counts, CountsWanted, DeviceType, Grouping};
use crate::store::columns::StoredRow as _;
use crate::store::contract::{BatchProgress, Result, StatisticsStore};
use crate::store::statements::statistics::{
    COUNTED_UNTIL, LIST_EVENTS, LIST_GROUPS, RECORD_PROGRESS, event_count, group_count,
};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl StatisticsStore for SqliteStore {
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<BatchProgress> {
        self::roll_up(&self.writer, until).await.map_err(failure)
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        let CountsWanted { from, to, midnight, query, most_groups } = wanted;
        let select = |sql| {
            sqlx::query(sql)
                .bind(&query.client_id)
                .bind(query.device_type.map(DeviceType::as_str))
                .bind(query.group_by.map(Grouping::as_str))
        };
        let read = async {
            let mut tx = self.searches.begin().await?;
            let StoredTime(counted_until) = sqlx::query_scalar(COUNTED_UNTIL).fetch_one(&mut *tx).await?;
            let most = i64::try_from(most_groups).unwrap_or(i64::MAX - 1) + 1;
            let list = select(LIST_GROUPS).bind(StoredTime(to)).bind(StoredTime(midnight)).bind(most);
            let rows = list.fetch_all(&mut *tx).await?;
            let groups: Vec<_> = rows.iter().map(group_count).collect::<sqlx::Result<_>>()?;
            if groups.len() > most_groups {
                return Ok(Counts { counted_until, groups, events: Vec::new() });
            }
            let list = select(LIST_EVENTS).bind(query.step.as_str()).bind(StoredTime(from)).bind(StoredTime(to));
            let rows = list.fetch_all(&mut *tx).await?;
            let events = rows.iter().map(event_count).collect::<sqlx::Result<_>>()?;
            Ok(Counts { counted_until, groups, events })
        };
        read.await.map_err(failure)
    }
}

/// Adds events (`at`, `client_id`, `device_type`, `kind`) to the counts of each step that contains them.
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

/// Endings at exactly `$1` of sessions opened after `$2` up to `$3`. They are found by creation, because a bulk ending
/// gives the same time to thousands of them.
const COUNT_ENDED_TOGETHER: &str = count_events!(
    "SELECT ended_at AS at, client_id, device_type, end_reason AS kind FROM sessions
     WHERE created_at > $2 AND created_at <= coalesce($3, 9223372036854775807)
        AND +ended_at = $1 AND ended_at < expires_at"
);

const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

async fn roll_up(pool: &SqlitePool, until: DateTime<Utc>) -> sqlx::Result<BatchProgress> {
    // Sessions of an open bulk ending will get its time as their end.
    const BEGIN: &str = "
        SELECT counted_until, opened_until,
            min($1, coalesce((SELECT min(at) FROM bulk_endings WHERE done_at IS NULL), $1)) AS until
        FROM statistics_progress";
    // The batch is limited to what is quickly counted.
    const REACH: &str = "
        SELECT (SELECT ended_at FROM sessions WHERE ended_at >= $1 AND ended_at < $2
                ORDER BY ended_at LIMIT 1 OFFSET 1000) AS ended_at,
            min(coalesce((SELECT created_at FROM sessions WHERE created_at >= $1 AND created_at < $2
                          ORDER BY created_at LIMIT 1 OFFSET 1000), $2),
                coalesce((SELECT expires_at FROM sessions WHERE expires_at >= $1 AND expires_at < $2
                          ORDER BY expires_at LIMIT 1 OFFSET 1000), $2)) AS reach";
    const END_OF_SPAN: &str =
        "SELECT created_at FROM sessions WHERE created_at > $1 ORDER BY created_at LIMIT 1 OFFSET 999";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let row = sqlx::query(BEGIN).bind(StoredTime(until)).fetch_one(&mut *tx).await?;
    let (from, until) = (row.time("counted_until")?, row.time("until")?);
    let opened_until = row.optional_time("opened_until")?;
    if until <= from {
        return Ok(BatchProgress::Done);
    }
    let reach = sqlx::query(REACH).bind(StoredTime(from)).bind(StoredTime(until)).fetch_one(&mut *tx).await?;
    let ended_at = reach.optional_time("ended_at")?;
    let mut reach = reach.time("reach")?.min(ended_at.unwrap_or(until)).max(from + MICROSECOND);
    let mut ended_from = from;
    if opened_until.is_some() || ended_at == Some(from) {
        let opened_from = StoredTime(opened_until.unwrap_or(DateTime::UNIX_EPOCH));
        let span_end: Option<StoredTime> =
            sqlx::query_scalar(END_OF_SPAN).bind(opened_from).fetch_optional(&mut *tx).await?;
        let count = sqlx::query(COUNT_ENDED_TOGETHER).bind(StoredTime(from)).bind(opened_from).bind(span_end);
        count.execute(&mut *tx).await?;
        if span_end.is_some() {
            sqlx::query(RECORD_PROGRESS).bind(StoredTime(from)).bind(span_end).execute(&mut *tx).await?;
            tx.commit().await?;
            return Ok(BatchProgress::More);
        }
        (reach, ended_from) = (from + MICROSECOND, from + MICROSECOND);
    }
    let count = sqlx::query(count_events_of_span!())
        .bind(StoredTime(from))
        .bind(StoredTime(reach))
        .bind(StoredTime(ended_from));
    count.execute(&mut *tx).await?;
    sqlx::query(RECORD_PROGRESS).bind(StoredTime(reach)).bind(None::<StoredTime>).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(BatchProgress::of_batch(reach < until))
}
