//! Bulk endings.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::batch_progress::BatchProgress;
use super::error::Result;
use crate::model::{AuditEntry, BulkEnding};

/// Bulk endings, and their application to rows.
#[async_trait]
pub trait BulkEndingStore: Send + Sync {
    /// Ends, at once and by one row, every active session that meets the filter, except for its conditions on state and last
    /// use. A list of users becomes a row for each, in one transaction. Sessions opened before this call are meant, and none
    /// opened after it, whatever the clocks say.
    async fn end_in_bulk(&self, ending: &BulkEnding, entry: Option<&AuditEntry>) -> Result<()>;

    /// The bulk endings made at `since` or later, in their order, applied or not. Each says up to when its sessions were
    /// opened (`filter.created.to`).
    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>>;

    /// Applies the oldest unfinished bulk ending to a batch of sessions' rows. A crash may lose the batch, which is then
    /// still to be done.
    async fn apply_bulk_ending(&self, now: DateTime<Utc>) -> Result<BatchProgress>;
}
