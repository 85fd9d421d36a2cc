//! The change log: what every replica must learn of, in the words that the stores keep it in.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Result;
use crate::sessions::{Ended, SessionId};
use crate::tokens::ServiceKeyId;
use crate::users::UserId;

/// The most changes that [`super::Store::changes`] answers at once.
pub const MOST_CHANGES: u32 = 5000;

/// A place in the change log. Places are in order within one database; another one, or one restored from a backup, has
/// others.
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

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Nothing will appear before this place any more. What stands after it may be read again, with what is added
    /// between.
    pub settled: LogPosition,
    /// The changes, in the order of their places.
    pub changes: Vec<LoggedChange>,
    /// What time it was by the clock that all replicas share; `None` when there is but one process.
    pub time: Option<DateTime<Utc>>,
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
