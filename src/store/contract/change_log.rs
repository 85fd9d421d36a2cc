//! The change log: changes that every replica reads, and announcements between replicas.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{LogId, LogPosition, LogSnapshot, LoggedChange, TokenIssuer};

/// Upper limit of changes in one answer of [`ChangeLogStore::changes`].
pub const MAX_CHANGES: u32 = 5000;
/// Upper limit of changes in one answer of [`ChangeLogStore::replay_changes`]: many clients resume at once, and a long
/// page would keep a thread from other requests.
pub const MAX_REPLAYED: u32 = 250;

/// One page of a read of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The log that was read.
    pub log: LogId,
    /// The number of the connection that read it: a position that is not settled may hold another change on another
    /// connection.
    pub connection: u64,
    /// Settled position: nothing can still commit before it, and no crash undoes the changes up to it. Changes after it
    /// may be read again, together with new ones between them.
    pub settled: LogPosition,
    /// The snapshot that was read, to be passed to the next read.
    pub snapshot: LogSnapshot,
    /// The changes, in the order of their positions.
    pub changes: Vec<LoggedChange>,
    /// The position to continue reading from; `None` when this is the last page.
    pub next: Option<LogPosition>,
    /// The instant at which the database last proved to be the primary.
    pub proved_at: Instant,
    /// The time by the clock of the database, which all replicas share; `None` when there is only one process.
    pub time: Option<DateTime<Utc>>,
}

/// One page of changes that are read again for a client that resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedChanges {
    /// The changes, in the order of their positions.
    pub changes: Vec<LoggedChange>,
    /// The position to continue reading from; `None` when this is the last page.
    pub next: Option<LogPosition>,
}

impl ReplayedChanges {
    /// The first `most` of `changes`. One more than `most` shows that another page follows.
    pub(crate) fn first_of(mut changes: Vec<LoggedChange>, most: u32) -> Self {
        let full = changes.len() > most as usize;
        changes.truncate(most as usize);
        let next = changes.last().map(|last| last.position).filter(|_| full);
        Self { changes, next }
    }
}

/// Receives the announcements of replicas.
#[async_trait]
pub trait Listener: Send {
    /// Waits for the next announcement of any replica, this one included. After an error nothing more is received.
    async fn hear(&mut self) -> Result<Heard>;
}

/// An announcement that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whether the log has grown; else it is a heartbeat.
    pub log_grown: bool,
    /// The issuer of the process that sent it, if it said.
    pub issuer: Option<TokenIssuer>,
}

/// An announcement to all replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// The log has grown.
    Changes,
    /// The connection works.
    Heartbeat,
}

/// The change log, and the announcements that wake its readers.
#[async_trait]
pub trait ChangeLogStore: Send + Sync {
    /// One page of a read of the change log: the changes after `after` that the read before (`seen`) could not see, at
    /// most [`MAX_CHANGES`]. Every change that committed before this call is in it, in a later page, or was seen. Fails
    /// with [`Error::Unavailable`](super::Error::Unavailable) when the database cannot prove that it is the primary.
    async fn changes(&self, seen: &LogSnapshot, after: LogPosition) -> Result<Changes>;

    /// The changes after a position, at most [`MAX_REPLAYED`], for a client that resumes. Blocks no other read of the
    /// log.
    async fn replay_changes(&self, after: LogPosition) -> Result<ReplayedChanges>;

    /// The endings at `since` or later that a restored dump brought from another log, with transaction numbers ahead of
    /// this log. Their positions are before all others.
    async fn foreign_endings(&self, since: DateTime<Utc>) -> Result<Vec<LoggedChange>>;

    /// Sends an announcement to the replicas, with the issuer of this process if it serves. It may get lost, because
    /// replicas also read the log by themselves.
    async fn announce(&self, announcement: Announcement, issuer: Option<&TokenIssuer>) -> Result<()>;

    /// Starts to receive announcements. `None` when the store has no channel for them.
    async fn listen(&self) -> Result<Option<Box<dyn Listener>>>;

    /// Deletes a batch of the changes before a position, and of those that a restored dump brought from another log,
    /// except for such endings at `since` or later. Answers how many; 0 when nothing is left. May be lost in a crash.
    async fn forget_changes(&self, before: LogPosition, since: DateTime<Utc>) -> Result<u64>;
}
