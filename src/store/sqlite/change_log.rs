//! The change log.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::failure::failure;
use super::store::SqliteStore;
use crate::model::{LogId, LogPosition, LogSnapshot, LoggedChange};
use crate::store::columns::StoredRow as _;
use crate::store::contract::{
    Announcement, ChangeLogStore, Changes, Listener, MAX_CHANGES, MAX_REPLAYED, ReplayedChanges, Result,
};
use crate::store::values;

#[async_trait]
impl ChangeLogStore for SqliteStore {
    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
        self::changes(&self.readers, seen, after).await.map_err(failure)
    }

    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges> {
        self::replay_changes(&self.readers, after).await.map_err(failure)
    }

    async fn foreign_endings(&self, _: DateTime<Utc>) -> Result<Vec<LoggedChange>> {
        Ok(Vec::new())
    }

    async fn announce(&self, _: Announcement) -> Result<()> {
        Ok(())
    }

    async fn listen(&self) -> Result<Option<Box<dyn Listener>>> {
        Ok(None)
    }

    async fn forget_changes(&self, before: LogPosition, _: DateTime<Utc>) -> Result<u64> {
        self::forget_changes(&self.writer, before).await.map_err(failure)
    }
}

pub(super) async fn changes(pool: &SqlitePool, seen: &LogSnapshot, after: LogPosition) -> sqlx::Result<Changes> {
    let proved_at = Instant::now();
    // Changes are numbered in the order of their commits, so none appears before one that was seen.
    let seen_to = LogPosition { sequence: seen.end.sequence.saturating_sub(1), ..seen.end };
    let from = after.max(seen_to);
    let ReplayedChanges { changes, next } = read(pool, from, MAX_CHANGES).await?;
    let settled = changes.last().map_or(from, |last| last.position);
    let snapshot = LogSnapshot::up_to(LogPosition { sequence: settled.sequence.saturating_add(1), ..settled });
    Ok(Changes { log: LogId::default(), connection: 0, settled, snapshot, changes, next, proved_at, time: None })
}

pub(super) async fn replay_changes(pool: &SqlitePool, after: LogPosition) -> sqlx::Result<ReplayedChanges> {
    read(pool, after, MAX_REPLAYED).await
}

async fn read(pool: &SqlitePool, after: LogPosition, most: u32) -> sqlx::Result<ReplayedChanges> {
    const READ: &str = "
        SELECT sequence, kind, subject_id, user_id, reason, at FROM changes WHERE sequence > $1
        ORDER BY sequence LIMIT $2";
    let rows = sqlx::query(READ).bind(after.sequence).bind(i64::from(most) + 1).fetch_all(pool).await?;
    Ok(ReplayedChanges::first_of(rows.iter().map(change).collect::<sqlx::Result<_>>()?, most))
}

fn change(row: &SqliteRow) -> sqlx::Result<LoggedChange> {
    let change = values::stored_change(
        row.try_get("kind")?,
        row.try_get("subject_id")?,
        row.try_get("user_id")?,
        row.try_get("reason")?,
        row.optional_time("at")?,
    )?;
    Ok(LoggedChange { position: LogPosition { transaction: 0, sequence: row.try_get("sequence")? }, change })
}

pub(super) async fn forget_changes(pool: &SqlitePool, before: LogPosition) -> sqlx::Result<u64> {
    const FORGET: &str = "
        DELETE FROM changes WHERE sequence IN (SELECT sequence FROM changes WHERE sequence < $1 ORDER BY sequence LIMIT 5000)";
    Ok(sqlx::query(FORGET).bind(before.sequence).execute(pool).await?.rows_affected())
}
