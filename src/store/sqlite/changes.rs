//! The change log.

use chrono::DateTime;
use sqlx::{Row, SqlitePool};

use crate::store::values::{self, OrUnreadable};
use crate::store::{Changes, LogPosition, LoggedChange, MOST_CHANGES};

pub(super) async fn changes(pool: &SqlitePool, after: LogPosition) -> sqlx::Result<Changes> {
    const READ: &str = "
        SELECT sequence, kind, subject_id, user_id, reason, at FROM changes WHERE sequence > $1
        ORDER BY sequence LIMIT $2";
    let rows = sqlx::query(READ).bind(after.sequence).bind(i64::from(MOST_CHANGES)).fetch_all(pool).await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let at = row.try_get::<Option<i64>, _>("at")?;
        let change = values::stored_change(
            row.try_get("kind")?,
            row.try_get("subject_id")?,
            row.try_get("user_id")?,
            row.try_get("reason")?,
            at.map(|at| DateTime::from_timestamp_micros(at).or_unreadable("at")).transpose()?,
        )?;
        changes.push(LoggedChange { position: place(row.try_get("sequence")?), change });
    }
    // Commits are in the order of the numbers, so nothing can appear before what was read.
    let settled = changes.last().map_or(after, |last| last.position);
    Ok(Changes { settled, changes, time: None })
}

pub(super) async fn forget_changes(pool: &SqlitePool, position: LogPosition) -> sqlx::Result<u64> {
    const FORGET: &str = "
        DELETE FROM changes WHERE sequence IN (SELECT sequence FROM changes WHERE sequence < $1 ORDER BY sequence LIMIT 5000)";
    Ok(sqlx::query(FORGET).bind(position.sequence).execute(pool).await?.rows_affected())
}

fn place(sequence: i64) -> LogPosition {
    LogPosition { transaction: 0, sequence }
}
