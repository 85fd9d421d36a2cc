//! The change log: what every replica must learn of, in the words that the stores keep it in.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Result;
use crate::model::{LogId, LogPosition, LogSnapshot, LoggedChange};

/// The most changes that [`super::Store::changes`] answers at once.
pub const MOST_CHANGES: u32 = 5000;
/// The most changes that [`super::Store::replay_changes`] answers at once: listeners are many, and a long page would keep a
/// thread from everybody else.
pub const MOST_REPLAYED: u32 = 250;

/// A look at the log, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The log that was read.
    pub log: LogId,
    /// The connection that read it: with another, a place that is not settled may hold another change.
    pub connection: u64,
    /// Nothing will appear before this place any more, and no crash takes back what stands there. What stands after it may be
    /// read again, with what is added between.
    pub settled: LogPosition,
    /// The snapshot that was read, for the next look.
    pub snapshot: LogSnapshot,
    /// The changes, in the order of their places.
    pub changes: Vec<LoggedChange>,
    /// The place to go on reading from; `None` when these changes were the last.
    pub next: Option<LogPosition>,
    /// When the database last proved to be the one that others write to.
    pub proved_at: Instant,
    /// What time it was by the clock that all replicas share; `None` when there is but one process.
    pub time: Option<DateTime<Utc>>,
}

/// A part of the log that is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedChanges {
    /// The changes, in the order of their places.
    pub changes: Vec<LoggedChange>,
    /// The place to go on reading from; `None` when these changes were the last.
    pub next: Option<LogPosition>,
}

impl ReplayedChanges {
    /// The first `most` of `changes`, which are more than that if there are more.
    pub(super) fn first_of(mut changes: Vec<LoggedChange>, most: u32) -> Self {
        let full = changes.len() > most as usize;
        changes.truncate(most as usize);
        let next = changes.last().map(|last| last.position).filter(|_| full);
        Self { changes, next }
    }
}

/// Hears when other replicas have written to the log.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next word from any replica, oneself included: `true` that the log has grown, `false` that it merely
    /// lives. An error means that nothing will be heard any more.
    async fn hear(&mut self) -> Result<bool>;
}

/// What replicas tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// The log has grown.
    Changes,
    /// The line works.
    Heartbeat,
}
