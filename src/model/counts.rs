//! The counts that statistics are made of.

use chrono::{DateTime, TimeDelta, Utc};

use super::device::DeviceType;
use super::session::EndReason;

/// What one point of a series stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Step {
    /// How long it is.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The start of the step that an instant is in.
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

/// What the numbers are broken down by.
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

/// Which numbers are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsQuery {
    /// From the step with this instant in it; by default 24 hours or 30 days before `to`.
    pub from: Option<DateTime<Utc>>,
    /// Up to the step before the one that starts at this instant or with it in it; by default, and at most, up to now.
    pub to: Option<DateTime<Utc>>,
    /// A point for each of these.
    pub step: Step,
    /// Only sessions of this application.
    pub client_id: Option<String>,
    /// Only sessions on such a device.
    pub device_type: Option<DeviceType>,
    /// Broken down by this too.
    pub group_by: Option<Grouping>,
}

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedEvent {
    /// It was opened.
    Opened,
    /// It came to its end by itself, or was idle for too long and then deleted.
    Expired,
    /// Somebody ended it before.
    Ended(EndReason),
}

impl CountedEvent {
    /// The event behind the word that is stored, if it is one.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "opened" => Some(Self::Opened),
            "expired" => Some(Self::Expired),
            reason => EndReason::parse(reason).map(Self::Ended),
        }
    }
}

/// What a store is asked to read of what it has counted: whole steps.
#[derive(Debug, Clone, Copy)]
pub struct CountsWanted<'a> {
    /// The start of the first step.
    pub from: DateTime<Utc>,
    /// The end of the last.
    pub to: DateTime<Utc>,
    /// The first midnight (UTC) that is not before `to`.
    pub midnight: DateTime<Utc>,
    /// How long they are, whom they are of, and how they are broken down.
    pub query: &'a StatisticsQuery,
    /// How many groups at most; one more tells that there are too many.
    pub most_groups: usize,
}

/// What a store has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// What happened before this instant is counted.
    pub counted_until: DateTime<Utc>,
    /// Each group, its sessions open at `counted_until`, and how many more were opened than left from the end of the
    /// last step on. A group's name is empty for sessions without a client, and where nothing is broken down.
    pub groups: Vec<(String, i64, i64)>,
    /// How often something happened in a step: its start, the group, what, how often. In the order of the starts.
    pub events: Vec<(DateTime<Utc>, String, CountedEvent, i64)>,
}

/// A user's sessions in numbers; ended ones are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Those that stand.
    pub active: u64,
    /// Those past their end or idle for too long.
    pub expired: u64,
}
