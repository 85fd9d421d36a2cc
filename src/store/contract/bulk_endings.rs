//! Bulk endings.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::BulkEnding;

/// Bulk endings: they are made, listed, and applied to the rows of their sessions.
#[async_trait]
pub trait BulkEndingStore: Send + Sync {
    /// Ends every active session that matches the filter, at once and by one row. Only conditions on fields that never
    /// change count: those on state and last use are ignored. The bulk ending covers all sessions opened before this
    /// call and none opened after it, whatever the clocks say.
    async fn end_in_bulk(&self, ending: &BulkEnding) -> Result<()>;

    /// The bulk endings made at `since` or later, in their order, applied or not. The `filter.created.to` of each is
    /// the exclusive bound on when its sessions were opened.
    async fn bulk_endings(&self, since: DateTime<Utc>) -> Result<Vec<BulkEnding>>;

    /// Applies the oldest bulk ending that is not fully applied to a batch of sessions. `Some(true)`: more batches are
    /// left. `None`: nothing is left to apply, or another process is applying it. May be lost in a crash; the batch is
    /// then applied again.
    async fn apply_bulk_ending(&self, now: DateTime<Utc>) -> Result<Option<bool>>;
}
