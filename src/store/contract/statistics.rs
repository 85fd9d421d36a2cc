//! Statistics.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::batch_progress::BatchProgress;
use super::error::Result;
use crate::model::{Counts, CountsWanted, OpenSessions};

/// The counts of what happened to sessions.
#[async_trait]
pub trait StatisticsStore: Send + Sync {
    /// Counts a batch of events before `until`, from where the last batch ended, and records its end in the same
    /// transaction. The count stops before a bulk ending that is not applied yet, because its sessions will have ended when
    /// it was made.
    ///
    /// The caller guarantees that no event before `until` can still commit. A row deleted before it was counted is counted
    /// by the deletion.
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<BatchProgress>;

    /// The counts, all as of one instant, which may be ten seconds ago. Events are left out when there are too many groups.
    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts>;

    /// The number of open sessions, from the counts: no session is read.
    async fn open_sessions(&self) -> Result<OpenSessions>;
}
