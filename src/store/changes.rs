//! The change log: what every replica must learn of, in the words that the stores keep it in.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Result;
use crate::clock::{Entropy, EntropyUnavailable};
use crate::sessions::{Ended, SessionId};
use crate::tokens::ServiceKeyId;
use crate::users::UserId;

/// The most changes that [`super::Store::changes`] answers at once.
pub const MOST_CHANGES: u32 = 5000;
/// The most changes that [`super::Store::replay_changes`] answers at once: listeners are many, and a long page would keep a
/// thread from everybody else.
pub const MOST_REPLAYED: u32 = 250;

/// The identity of a change log. PostgreSQL gives transaction numbers again after a crash, a promotion or a restore, so a
/// place means nothing without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogId {
    /// The cluster, as `initdb` numbered it; drawn by chance for a log that cannot tell.
    pub system: u64,
    /// The timeline: a promotion or a restore to a point in time begins another.
    pub timeline: u32,
    /// When the database was started, in microseconds: a copy of its files that is put back has the same system and timeline.
    pub started: i64,
    /// The database within the cluster: a copy of it has the same table.
    pub database: u32,
    /// The table: a dump that is put back into the same database makes another.
    pub table: u32,
}

impl LogId {
    /// An identity that no other log has.
    pub(super) fn drawn(entropy: &dyn Entropy) -> std::result::Result<Self, EntropyUnavailable> {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes)?;
        Ok(Self { system: u64::from_be_bytes(bytes), ..Self::default() })
    }

    /// Whether both logs are of one server, unless it was started anew meanwhile.
    pub(super) fn is_of_server_of(&self, other: &Self) -> bool {
        (self.system, self.timeline, self.started) == (other.system, other.timeline, other.started)
    }

    /// Whether the log did not tell its identity.
    pub(super) fn is_drawn(&self) -> bool {
        self.started == 0
    }
}

/// The transactions that a look at the log saw the end of: those before `end`, without the `open` ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSnapshot {
    /// No transaction from this place on had ended.
    pub end: LogPosition,
    /// The transactions before `end` that were still running.
    pub open: Vec<i64>,
}

impl LogSnapshot {
    /// A snapshot that saw everything before `end`.
    pub fn up_to(end: LogPosition) -> Self {
        Self { end, open: Vec::new() }
    }

    /// Whether a change at this place was visible.
    pub fn contains(&self, position: LogPosition) -> bool {
        position < self.end && !self.open.contains(&position.transaction)
    }
}

/// A place in the change log. Places are in order within one log ([`LogId`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The transaction, by the number it drew when it first wrote.
    pub transaction: i64,
    /// The change within it.
    pub sequence: i64,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A session was ended.
    SessionEnded {
        /// Which.
        id: SessionId,
        /// Whose.
        user: UserId,
        /// When and why.
        ended: Ended,
    },
    /// What is shown of a session or its user is another.
    UserChanged(UserId),
    /// Many sessions were ended together.
    BulkEnding {
        /// Of this user; `None`: of anybody.
        user: Option<UserId>,
        /// When and why.
        ended: Ended,
    },
    /// A service key was revoked.
    ServiceKeyRevoked(ServiceKeyId),
    /// A signing key was added or forgotten.
    SigningKeysChanged,
    /// A newer version wrote it: anything may have changed.
    Unknown,
}

/// A change and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    /// Where it stands.
    pub position: LogPosition,
    /// What it is.
    pub change: Change,
}

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
