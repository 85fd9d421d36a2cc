//! The counts behind the statistics.

use chrono::{DateTime, TimeDelta, Utc};

use super::device::DeviceType;
use super::session::EndReason;

/// The length of time that one point of a series covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Step {
    /// The duration.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The start of the step that contains an instant.
    pub(crate) fn start(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let length = self.length().num_seconds();
        DateTime::from_timestamp(at.timestamp().div_euclid(length) * length, 0).unwrap_or(at)
    }

    /// The start of the first step that is not before an instant.
    pub(crate) fn end(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let start = self.start(at);
        if start == at { at } else { start + self.length() }
    }
}

/// A dimension to break the numbers down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// The application.
    ClientId,
    /// The kind of device.
    DeviceType,
}

impl Grouping {
    /// The name of the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::DeviceType => "device_type",
        }
    }
}

/// A request for statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsQuery {
    /// Inclusive start, rounded down to a whole step; by default 24 hours or 30 days before `to`.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive end, rounded up to a whole step; the current step at most, which is also the default.
    pub to: Option<DateTime<Utc>>,
    /// The time that each point covers.
    pub step: Step,
    /// Only sessions of this application.
    pub client_id: Option<String>,
    /// Only sessions on this kind of device.
    pub device_type: Option<DeviceType>,
    /// A dimension to break the total down by.
    pub group_by: Option<Grouping>,
}

/// An event in the life of a session, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedEvent {
    /// The session was opened.
    Opened,
    /// The session reached its expiry, or was deleted after it had been idle for too long.
    Expired,
    /// The session was ended before its expiry.
    Ended(EndReason),
}

impl CountedEvent {
    /// The event of a stored word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "opened" => Some(Self::Opened),
            "expired" => Some(Self::Expired),
            reason => EndReason::parse(reason).map(Self::Ended),
        }
    }
}

/// The counts that a store is asked for, in whole steps.
#[derive(Debug, Clone, Copy)]
pub struct CountsWanted<'a> {
    /// The start of the first step.
    pub from: DateTime<Utc>,
    /// The end of the last step, exclusive.
    pub to: DateTime<Utc>,
    /// The first midnight (UTC) that is not before `to`.
    pub midnight: DateTime<Utc>,
    /// The length of the steps, the sessions to count, and the dimension to break them down by.
    pub query: &'a StatisticsQuery,
    /// The maximum number of groups. An answer with one more means that there are too many.
    pub most_groups: usize,
}

/// The counts that a store answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The instant before which all events are counted.
    pub counted_until: DateTime<Utc>,
    /// The groups, in the order of their names. Without a dimension there is one without a name.
    pub groups: Vec<GroupCount>,
    /// The events of each step, in the order of the steps.
    pub events: Vec<EventCount>,
}

/// The number of open sessions, as far as events are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSessions {
    /// Sessions neither ended nor past their end. Those idle for too long are among them.
    pub number: i64,
    /// The instant before which all events are counted.
    pub counted_until: DateTime<Utc>,
}

/// The sessions of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCount {
    /// The group; empty for sessions without a client.
    pub name: String,
    /// Sessions open at [`Counts::counted_until`].
    pub open: i64,
    /// Sessions opened since the end of the last step, less those ended or expired.
    pub since: i64,
}

/// The events of one kind in one step and group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// The start of the step.
    pub start: DateTime<Utc>,
    /// The group, as [`GroupCount::name`].
    pub group: String,
    /// The kind of event.
    pub event: CountedEvent,
    /// Number of events.
    pub count: i64,
}

/// The number of sessions of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCount {
    /// The application; `None`: sessions that were opened for none.
    pub client_id: Option<String>,
    /// Number of sessions.
    pub sessions: u32,
}

/// The numbers of a user's sessions. Ended sessions are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Active sessions.
    pub active: u64,
    /// Sessions past `expires_at`, or idle for too long.
    pub expired: u64,
}
