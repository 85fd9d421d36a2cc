//! Counting events of sessions, and reading the counts.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::store::PostgresStore;
use crate::model::{Counts, CountsWanted, DeviceType, Grouping};
use crate::store::columns::StoredRow as _;
use crate::store::contract::{BatchProgress, Result, StatisticsStore};
use crate::store::statements::statistics::{
    COUNTED_UNTIL, LIST_EVENTS, LIST_GROUPS, RECORD_PROGRESS, event_count, group_count,
};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl StatisticsStore for PostgresStore {
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<BatchProgress> {
        self.database.retry_if_rolled_back(|| self::roll_up(&self.database.pool, until)).await
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        let CountsWanted { from, to, midnight, query, most_groups } = wanted;
        let select = |sql| {
            sqlx::query(sql)
                .bind(&query.client_id)
                .bind(query.device_type.map(DeviceType::as_str))
                .bind(query.group_by.map(Grouping::as_str))
        };
        let read = |pool: PgPool| async move {
            let mut tx = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
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
        self.search_anywhere(read).await
    }
}

/// Adds events (`at`, `client_id`, `device_type`, `kind`) to the counts of each step that contains them.
macro_rules! count_events {
    ($events:expr) => {
        concat!(
            "WITH counted AS (INSERT INTO statistics (step, start, client_id, device_type, kind, count)
             SELECT step,
                CASE WHEN step = 'ever' THEN timestamptz '1970-01-01Z' ELSE date_trunc(step, hour, 'UTC') END AS start,
                client_id, device_type, kind, sum(count)
             FROM (
                SELECT date_trunc('hour', at, 'UTC') AS hour, coalesce(client_id, '') AS client_id, device_type, kind,
                    count(*) AS count
                FROM (",
            $events,
            "   ) AS events GROUP BY 1, 2, 3, 4
             ) AS hourly, (VALUES ('hour'), ('day'), ('ever')) AS steps (step)
             GROUP BY 1, 2, 3, 4, 5
             ON CONFLICT (step, start, client_id, device_type, kind) DO UPDATE
                SET count = statistics.count + excluded.count
             RETURNING 1)
             SELECT count(*) FROM counted"
        )
    };
}

/// Endings at exactly `$1` of sessions opened after `$2` up to `$3`. They are found by creation, because a bulk ending
/// gives the same time to millions of them.
const COUNT_ENDED_TOGETHER: &str = count_events!(
    "WITH span AS MATERIALIZED (
        SELECT ended_at, expires_at, client_id, device_type, end_reason FROM sessions
        WHERE created_at > $2 AND created_at <= coalesce($3, 'infinity')
     )
     SELECT ended_at AS at, client_id, device_type, end_reason AS kind FROM span
     WHERE ended_at = $1 AND ended_at < expires_at"
);

const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

async fn roll_up(pool: &PgPool, until: DateTime<Utc>) -> sqlx::Result<BatchProgress> {
    const LOCK: &str = "SELECT counted_until, opened_until FROM statistics_progress FOR UPDATE SKIP LOCKED";
    // Sessions of an open bulk ending will get its time as their end.
    const SETTLED: &str = "SELECT least($1, (SELECT min(at) FROM bulk_endings WHERE done_at IS NULL))";
    // The batch is limited to what is quickly counted.
    const REACH: &str = "
        SELECT (SELECT ended_at FROM sessions WHERE ended_at >= $1 AND ended_at < $2
                ORDER BY ended_at LIMIT 1 OFFSET 5000) AS ended_at,
            least($2,
                (SELECT created_at FROM sessions WHERE created_at >= $1 AND created_at < $2
                 ORDER BY created_at LIMIT 1 OFFSET 5000),
                (SELECT expires_at FROM sessions WHERE expires_at >= $1 AND expires_at < $2
                 ORDER BY expires_at LIMIT 1 OFFSET 5000)) AS reach";
    const END_OF_SPAN: &str =
        "SELECT created_at FROM sessions WHERE created_at > $1 ORDER BY created_at LIMIT 1 OFFSET 4999";
    // A custom plan: the number of rows between the bounds differs by orders of magnitude.
    const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL plan_cache_mode = force_custom_plan";
    let mut tx = pool.begin_with(BEGIN).await?;
    let Some(row) = sqlx::query(LOCK).fetch_optional(&mut *tx).await? else { return Ok(BatchProgress::Idle) };
    let (from, opened_until) = (row.time("counted_until")?, row.optional_time("opened_until")?);
    let StoredTime(until) = sqlx::query_scalar(SETTLED).bind(StoredTime(until)).fetch_one(&mut *tx).await?;
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
