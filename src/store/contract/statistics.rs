//! Statistics.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{Counts, CountsWanted};

/// Counts of what happened to sessions.
#[async_trait]
pub trait StatisticsStore: Send + Sync {
    /// Counts a batch of the events before `until`, from where the last batch stopped. Counts and progress are
    /// committed together: a crash loses both or neither. Stops before a bulk ending that is not fully applied, because
    /// its sessions will get its time as their end. `Some(true)`: more events are left. `None`: another process is
    /// counting.
    ///
    /// The caller guarantees that no event before `until` can still commit. A row deleted before it was counted is
    /// counted by the deletion.
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>>;

    /// The counts, all as of one instant, ten seconds ago at most. Events are left out when there are too many groups.
    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts>;
}
