//! The change log: the changes that every replica must learn of, and their places.

use super::service_key::ServiceKeyId;
use super::session::Ended;
use super::session_id::SessionId;
use super::user::UserId;
use crate::clock::{Entropy, EntropyUnavailable};

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
    pub(crate) fn drawn(entropy: &dyn Entropy) -> std::result::Result<Self, EntropyUnavailable> {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes)?;
        Ok(Self { system: u64::from_be_bytes(bytes), ..Self::default() })
    }

    /// Whether both logs are of one server, unless it was started anew meanwhile.
    pub(crate) fn is_of_server_of(&self, other: &Self) -> bool {
        (self.system, self.timeline, self.started) == (other.system, other.timeline, other.started)
    }

    /// Whether the log did not tell its identity.
    pub(crate) fn is_drawn(&self) -> bool {
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
