//! The change log: changes that every replica reads, and announcements between replicas.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{LogId, LogPosition, LogSnapshot, LoggedChange};

/// The most changes that [`ChangeLogStore::changes`] answers at once.
pub const MAX_CHANGES: u32 = 5000;
/// The most changes that [`ChangeLogStore::replay_changes`] answers at once: listeners are many, and a long page would keep a
/// thread from everybody else.
pub const MAX_REPLAYED: u32 = 250;

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
    /// The time by the clock that all replicas share; `None` for a store with one process.
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
    pub(crate) fn first_of(mut changes: Vec<LoggedChange>, most: u32) -> Self {
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

/// The notices that replicas send each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// The log has grown.
    Changes,
    /// The line works.
    Heartbeat,
}

/// The change log, and notices between replicas.
#[async_trait]
pub trait ChangeLogStore: Send + Sync {
    /// A part of a look at the change log: the changes after a place that the look before (`seen`) could not see, at most
    /// [`MAX_CHANGES`]. Every change that committed before this was asked for is in it, in a further part, or was seen.
    /// [`Error::Unavailable`](super::error::Error::Unavailable) when the database cannot prove that it is the one that others write to.
    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes>;

    /// The changes after a place, at most [`MAX_REPLAYED`], for a listener that comes back. Holds up no look at the log.
    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges>;

    /// The endings at `since` or later that a dump brought along with the numbers of another log, which are ahead of this
    /// one's. Their places are before all others.
    async fn foreign_endings(&self, since: DateTime<Utc>) -> Result<Vec<LoggedChange>>;

    /// Tells the other replicas. May get lost; they look for themselves soon.
    async fn announce(&self, announcement: Announcement) -> Result<()>;

    /// Starts to hear what replicas announce. `None` when the store has no means for it.
    async fn listen(&self) -> Result<Option<Box<dyn Listener>>>;

    /// Deletes a batch of what stands before a place in the change log, and of what a dump brought along with the numbers of
    /// another log but for the endings at `since` or later. Answers how much; 0 when nothing is left. May be lost in a crash.
    async fn forget_changes(&self, before: LogPosition, since: DateTime<Utc>) -> Result<u64>;
}
