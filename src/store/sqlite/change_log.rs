//! The change log.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, SqlitePool};

use super::failure::failure;
use super::store::SqliteStore;
use crate::model::{LogId, LogPosition, LogSnapshot, LoggedChange};
use crate::store::columns;
use crate::store::contract::{
    Announcement, ChangeLogStore, Changes, Listener, MAX_CHANGES, MAX_REPLAYED, ReplayedChanges, Result,
};

#[async_trait]
impl ChangeLogStore for SqliteStore {
    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes> {
        let proved_at = Instant::now();
        // Changes are numbered in the order of their commits, so none appears before one that was seen.
        let seen_to = LogPosition { sequence: seen.end.sequence.saturating_sub(1), ..seen.end };
        let from = after.max(seen_to);
        let ReplayedChanges { changes, next } = read(&self.readers, from, MAX_CHANGES).await.map_err(failure)?;
        let settled = changes.last().map_or(from, |last| last.position);
        let snapshot = LogSnapshot::up_to(LogPosition { sequence: settled.sequence.saturating_add(1), ..settled });
        Ok(Changes { log: LogId::default(), connection: 0, settled, snapshot, changes, next, proved_at, time: None })
    }

    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges> {
        read(&self.readers, after, MAX_REPLAYED).await.map_err(failure)
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
        const FORGET: &str = "
            DELETE FROM changes WHERE sequence IN (
                SELECT sequence FROM changes WHERE sequence < $1 ORDER BY sequence LIMIT 5000
            )";
        let forget = sqlx::query(FORGET).bind(before.sequence);
        Ok(forget.execute(&self.writer).await.map_err(failure)?.rows_affected())
    }
}

/// The changes after a position, at most `most`.
async fn read(pool: &SqlitePool, after: LogPosition, most: u32) -> sqlx::Result<ReplayedChanges> {
    const READ: &str = "
        SELECT sequence, kind, subject_id, user_id, reason, at FROM changes WHERE sequence > $1
        ORDER BY sequence LIMIT $2";
    let rows = sqlx::query(READ).bind(after.sequence).bind(i64::from(most) + 1).fetch_all(pool).await?;
    let changes = rows.iter().map(|row| {
        let position = LogPosition { transaction: 0, sequence: row.try_get("sequence")? };
        Ok(LoggedChange { position, change: columns::change(row)? })
    });
    Ok(ReplayedChanges::first_of(changes.collect::<sqlx::Result<_>>()?, most))
}
