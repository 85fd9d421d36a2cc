//! Endings, as the feed sends them.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Ended, LogId, LogPosition, SessionId, UserId};

/// Minimum age at which changes are deleted. A process that has just started must know the endings of the longest access
/// token lifetime, and streams resume where they broke off.
pub const LOG_TTL: TimeDelta = TimeDelta::hours(2);
/// The termination of a session or a service key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Termination {
    /// The reason of the ending, or `expired` or `idle_expired`.
    pub reason: &'static str,
    /// The instant of the ending.
    pub at: DateTime<Utc>,
}

impl From<Ended> for Termination {
    fn from(ended: Ended) -> Self {
        Self { reason: ended.reason.as_str(), at: ended.at }
    }
}

/// The end of one session, or of many by a bulk ending, as listeners get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedEvent {
    /// The session; `None`: many, by a bulk ending.
    pub session_id: Option<SessionId>,
    /// The user; `None`: anybody.
    pub user_id: Option<UserId>,
    /// The instant and the reason.
    pub ended: Ended,
    pub(super) place: LogPlace,
}

/// The position of an ending, and the log it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// The log.
    pub log: LogId,
    /// The position in the log.
    pub position: LogPosition,
    /// The settled position of the log.
    pub settled: LogPosition,
}

impl LogPlace {
    /// Resume position: a listener that has this ending has everything before it. Changes after `settled` may still appear in
    /// front of it.
    pub fn heard_to(self) -> LogPosition {
        self.position.min(self.settled)
    }
}

/// The progress of the log's reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogProgress {
    /// The log.
    pub log: LogId,
    /// The settled position up to which the log is read.
    pub settled: LogPosition,
    /// The instant before which every ending is read.
    pub as_of: DateTime<Utc>,
}

/// The times of one read of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingTime {
    /// The start of the read.
    pub asked: Instant,
    /// The proof that nobody wrote to another database until then.
    pub as_of: Instant,
}

impl EndedEvent {
    /// The ending of one session, as read from the change log.
    pub fn new(session_id: SessionId, user_id: UserId, ended: Ended, place: LogPlace) -> Self {
        Self { session_id: Some(session_id), user_id: Some(user_id), ended, place }
    }

    /// As [`EndedEvent::new`], of many sessions: of a user, or of anybody.
    pub fn of_many(user_id: Option<UserId>, ended: Ended, place: LogPlace) -> Self {
        Self { session_id: None, user_id, ended, place }
    }
}
