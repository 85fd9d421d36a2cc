//! EndedEventStream, as the feed tells them.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Ended, LogId, LogPosition, SessionId, UserId};

/// The change log must be kept at least this long: offline verifiers hear of what was ended within the longest life of an
/// access token from a process that has just started, and streams go on where they broke off.
pub const LOG_TTL: TimeDelta = TimeDelta::hours(2);
/// That a session or a service key stands no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Termination {
    /// Why: the reason of its ending, or `expired` or `idle_expired`.
    pub reason: &'static str,
    /// When.
    pub at: DateTime<Utc>,
}

impl From<Ended> for Termination {
    fn from(ended: Ended) -> Self {
        Self { reason: ended.reason.as_str(), at: ended.at }
    }
}

/// That a session was ended, or many together, as everybody who listens is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedEvent {
    /// Which; `None`: many.
    pub session_id: Option<SessionId>,
    /// Whose; `None`: anybody's.
    pub user_id: Option<UserId>,
    /// When and why.
    pub ended: Ended,
    pub(super) place: LogPlace,
}

/// The place of an ending in the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// The log.
    pub log: LogId,
    /// The place in it.
    pub position: LogPosition,
    /// Nothing will appear in the log before this place any more.
    pub settled: LogPosition,
}

impl LogPlace {
    /// Resume position: a listener that has heard of this ending has heard of everything before it. Of the places after
    /// `settled` some may still appear in front.
    pub fn heard_to(self) -> LogPosition {
        self.position.min(self.settled)
    }
}

/// How far the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogProgress {
    /// The log.
    pub log: LogId,
    /// All before this place is read.
    pub settled: LogPosition,
    /// Every ending before this instant is read.
    pub as_of: DateTime<Utc>,
}

/// When a reading of the log took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingTime {
    /// The time at which the look began.
    pub asked: Instant,
    /// Nobody had written to another database until then.
    pub as_of: Instant,
}

impl EndedEvent {
    /// As read from the change log.
    pub fn new(session_id: SessionId, user_id: UserId, ended: Ended, place: LogPlace) -> Self {
        Self { session_id: Some(session_id), user_id: Some(user_id), ended, place }
    }

    /// As [`EndedEvent::new`], of many sessions: of a user, or of anybody.
    pub fn of_many(user_id: Option<UserId>, ended: Ended, place: LogPlace) -> Self {
        Self { session_id: None, user_id, ended, place }
    }
}
