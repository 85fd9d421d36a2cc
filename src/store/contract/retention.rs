//! Deletion of rows past their retention.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{AuditEntry, Stale};

/// Deletion of rows past their retention, and the count of ended sessions.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// Deletes one batch of stale rows and answers how many; 0 when nothing is left. May be lost in a crash; the batch
    /// is then deleted again. Locked rows are skipped. With `alone` only one process deletes at a time: `None` when it
    /// is another.
    async fn delete_stale(&self, stale: Stale<'_>, alone: bool, entry: Option<&AuditEntry>) -> Result<Option<u64>>;

    /// The number of sessions that had expired or ended at `instant` or before.
    async fn count_ended_before(&self, instant: DateTime<Utc>) -> Result<u64>;
}
