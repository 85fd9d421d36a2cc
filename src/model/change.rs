//! The change log: the changes that every replica must learn of, and their positions.

use super::service_key::ServiceKeyId;
use super::session::Ended;
use super::session_id::SessionId;
use super::user::UserId;
use crate::clock::{Entropy, EntropyUnavailable};

/// The identity of a change log. PostgreSQL reuses transaction ids after a crash, a promotion or a restore, so a
/// position means nothing without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogId {
    /// The cluster's system identifier, assigned by `initdb`; random for a log without a readable identity.
    pub system: u64,
    /// The timeline: a promotion or a restore to a point in time begins another.
    pub timeline: u32,
    /// The start of the database server, in microseconds: a restored copy of its files has the same system and
    /// timeline.
    pub started: i64,
    /// The database's OID within the cluster: a copy of the database has a table with the same OID.
    pub database: u32,
    /// The table's OID: a dump that is restored into the same database creates another table.
    pub table: u32,
}

impl LogId {
    /// A random identity, which no other log has.
    pub(crate) fn drawn(entropy: &dyn Entropy) -> std::result::Result<Self, EntropyUnavailable> {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes)?;
        Ok(Self { system: u64::from_be_bytes(bytes), ..Self::default() })
    }

    /// Whether both logs are on one server that was not restarted in between.
    pub(crate) fn is_of_server_of(&self, other: &Self) -> bool {
        (self.system, self.timeline, self.started) == (other.system, other.timeline, other.started)
    }

    /// Whether the identity is random, because the log's own could not be read.
    pub(crate) fn is_drawn(&self) -> bool {
        self.started == 0
    }
}

/// The transactions that had ended when the log was read: all before `end` except the `open` ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSnapshot {
    /// The position from which on no transaction had ended.
    pub end: LogPosition,
    /// The transactions before `end` that were still running.
    pub open: Vec<i64>,
}

impl LogSnapshot {
    /// A snapshot that saw everything before `end`.
    pub fn up_to(end: LogPosition) -> Self {
        Self { end, open: Vec::new() }
    }

    /// Whether a change at this position was visible.
    pub fn contains(&self, position: LogPosition) -> bool {
        position < self.end && !self.open.contains(&position.transaction)
    }
}

/// A position in the change log. Positions are ordered within one log ([`LogId`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The transaction id, assigned at the transaction's first write.
    pub transaction: i64,
    /// The number of the change within the transaction.
    pub sequence: i64,
}

/// A change that every replica must learn of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A session was ended.
    SessionEnded {
        /// The session.
        id: SessionId,
        /// The session's user.
        user: UserId,
        /// The time and the reason.
        ended: Ended,
    },
    /// Details of the user changed.
    UserChanged(UserId),
    /// Details of a session changed, or its user authenticated in it anew.
    SessionChanged {
        /// The session.
        id: SessionId,
        /// The session's user.
        user: UserId,
    },
    /// A bulk ending was made.
    BulkEnding {
        /// The user whose sessions are ended; `None`: sessions of any user.
        user: Option<UserId>,
        /// The time and the reason.
        ended: Ended,
    },
    /// A service key was revoked.
    ServiceKeyRevoked(ServiceKeyId),
    /// A signing key was added or deleted.
    SigningKeysChanged,
    /// An application was added, changed or deleted.
    ApplicationsChanged,
    /// A change of a kind that only a newer version knows: anything may have changed.
    Unknown,
}

/// A change and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    /// The position in the log.
    pub position: LogPosition,
    /// The change.
    pub change: Change,
}
