//! Counting events of sessions, and reading the counts.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgPool, Row};

use super::store::PostgresStore;
use crate::model::{CountedEvent, Counts, CountsWanted, DeviceType, EventCount, GroupCount, Grouping, OpenSessions};
use crate::store::contract::{BatchProgress, Result, StatisticsStore};
use crate::store::values::OrUnreadable;

#[async_trait]
impl StatisticsStore for PostgresStore {
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<BatchProgress> {
        self.database.retry_if_rolled_back(|| self::roll_up(&self.database.pool, until)).await
    }

    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts> {
        self.search_anywhere(|pool| async move { self::statistics(&pool, wanted).await }).await
    }

    async fn open_sessions(&self) -> Result<OpenSessions> {
        self.database.retry_idempotent(|| self::open_sessions(&self.database.pool)).await
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

/// Events from `$1` up to `$2`; endings from `$3` on.
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

const PROGRESS: &str = "UPDATE statistics_progress SET counted_until = $1, opened_until = $2";

const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

pub(super) async fn roll_up(pool: &PgPool, until: DateTime<Utc>) -> sqlx::Result<BatchProgress> {
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
    let from: DateTime<Utc> = row.try_get("counted_until")?;
    let opened_until: Option<DateTime<Utc>> = row.try_get("opened_until")?;
    let until: DateTime<Utc> = sqlx::query_scalar(SETTLED).bind(until).fetch_one(&mut *tx).await?;
    if until <= from {
        return Ok(BatchProgress::Done);
    }
    let reach = sqlx::query(REACH).bind(from).bind(until).fetch_one(&mut *tx).await?;
    let ended_at: Option<DateTime<Utc>> = reach.try_get("ended_at")?;
    let mut reach = reach.try_get::<DateTime<Utc>, _>("reach")?.min(ended_at.unwrap_or(until)).max(from + MICROSECOND);
    let mut ended_from = from;
    if opened_until.is_some() || ended_at == Some(from) {
        let opened_from = opened_until.unwrap_or(DateTime::UNIX_EPOCH);
        let span_end: Option<DateTime<Utc>> =
            sqlx::query_scalar(END_OF_SPAN).bind(opened_from).fetch_optional(&mut *tx).await?;
        let count = sqlx::query(COUNT_ENDED_TOGETHER).bind(from).bind(opened_from).bind(span_end);
        count.execute(&mut *tx).await?;
        if span_end.is_some() {
            sqlx::query(PROGRESS).bind(from).bind(span_end).execute(&mut *tx).await?;
            tx.commit().await?;
            return Ok(BatchProgress::More);
        }
        (reach, ended_from) = (from + MICROSECOND, from + MICROSECOND);
    }
    let count = sqlx::query(COUNT).bind(from).bind(reach).bind(ended_from);
    count.execute(&mut *tx).await?;
    sqlx::query(PROGRESS).bind(reach).bind(None::<DateTime<Utc>>).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(BatchProgress::of_batch(reach < until))
}

pub(super) async fn open_sessions(pool: &PgPool) -> sqlx::Result<OpenSessions> {
    const READ: &str = "
        SELECT counted_until, coalesce((
            SELECT sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FROM statistics WHERE step = 'ever'
        ), 0)::bigint AS open
        FROM statistics_progress";
    let row = sqlx::query(READ).fetch_one(pool).await?;
    Ok(OpenSessions { number: row.try_get("open")?, counted_until: row.try_get("counted_until")? })
}

/// The counts that match, under the name of their group.
macro_rules! selected {
    () => {
        "SELECT CASE WHEN $3 = 'client_id' THEN client_id WHEN $3 = 'device_type' THEN device_type ELSE '' END \
                AS name, start, step, kind, count FROM statistics \
         WHERE ($1::text IS NULL OR client_id = $1) AND ($2::text IS NULL OR device_type = $2)"
    };
}

pub(super) async fn statistics(pool: &PgPool, wanted: CountsWanted<'_>) -> sqlx::Result<Counts> {
    const GROUPS: &str = concat!(
        "SELECT name, sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FILTER (WHERE step = 'ever')::bigint AS open,
            coalesce(sum(CASE WHEN kind = 'opened' THEN count ELSE -count END) FILTER (WHERE step <> 'ever'), 0)::bigint
                AS since
         FROM (",
        selected!(),
        "   AND (step = 'ever' OR step = 'hour' AND start >= $4 AND start < $5 OR step = 'day' AND start >= $5)
         ) AS selected GROUP BY name ORDER BY name LIMIT $6"
    );
    const EVENTS: &str = concat!(
        "SELECT start, name, kind, sum(count)::bigint AS count FROM (",
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
    let mut tx = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let counted_until = sqlx::query_scalar("SELECT counted_until FROM statistics_progress").fetch_one(&mut *tx).await?;
    let most = i64::try_from(most_groups).unwrap_or(i64::MAX - 1) + 1;
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
    let rows = select(EVENTS).bind(query.step.as_str()).bind(from).bind(to).fetch_all(&mut *tx).await?;
    let event = |row: &sqlx::postgres::PgRow| {
        let event = CountedEvent::parse(row.try_get("kind")?).or_unreadable("kind")?;
        Ok(EventCount {
            start: row.try_get("start")?,
            group: row.try_get("name")?,
            event,
            count: row.try_get("count")?,
        })
    };
    Ok(Counts { counted_until, groups, events: rows.iter().map(event).collect::<sqlx::Result<_>>()? })
}
