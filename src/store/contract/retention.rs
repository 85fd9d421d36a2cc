//! Deletion of what is past its retention.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::Stale;

/// The deletion of rows past their retention.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// Deletes one batch of what is kept no longer, and answers how many; 0 when nothing is left. May be lost in a crash:
    /// then it is still there to be deleted. Rows that somebody else is changing are passed over. With `alone` only one
    /// process at a time deletes: `None` when it is another.
    async fn delete_stale(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>>;

    /// Number of sessions that had expired or ended at `instant` or before.
    async fn count_ended_before(&self, instant: DateTime<Utc>) -> Result<u64>;
}
