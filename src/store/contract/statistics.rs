//! Statistics.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{Counts, CountsWanted};

/// The counts of what happened to sessions.
#[async_trait]
pub trait StatisticsStore: Send + Sync {
    /// Counts a batch of what happened to sessions before `until`, from where it was last done, and how far it is done; both
    /// together are lost in a crash, or neither. Stops short of a bulk ending that is not carried out, because its sessions
    /// will have ended when it was made. `Some(true)`: there is more to count. `None` when another process is at it.
    ///
    /// Nothing may happen before `until` any more. What is deleted before it is counted, is counted as it is deleted.
    async fn roll_up(&self, until: DateTime<Utc>) -> Result<Option<bool>>;

    /// The counts, all as of one instant, which may be ten seconds ago. Events are left out when there are too many groups.
    async fn statistics(&self, wanted: CountsWanted<'_>) -> Result<Counts>;
}
