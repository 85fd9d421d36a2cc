//! Typed searches: wire formats translate into them, the stores compile them to SQL.

use chrono::{DateTime, Utc};

use super::caller::Owner;
use super::device::DeviceType;
use super::field_error::FieldError;
use super::network::Network;
use super::opener::Opener;
use super::session::{EndReason, State};
use super::session_id::SessionId;
use super::user::UserId;

/// The maximum number of sessions on one page.
pub const MAX_PAGE: u32 = 200;
/// The number of sessions on a page when the request names none.
pub const DEFAULT_PAGE: u32 = 50;

/// A half-open range of instants: `from <= x < to`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first instant in the range; `None`: unbounded.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after the range; `None`: unbounded.
    pub to: Option<DateTime<Utc>>,
}

/// A text that a condition can match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextField {
    /// The session's id, as text.
    Id,
    /// The user's id.
    UserId,
    /// The application.
    ClientId,
    /// The address.
    IpAddress,
    /// The authentication context class.
    Acr,
    /// The scope.
    Scope,
}

/// An instant that a condition can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeField {
    /// The time of opening.
    CreatedAt,
    /// The time of the last use, as far as it has been written.
    LastSeenAt,
    /// The expiry.
    ExpiresAt,
}

/// A condition on a session: a small algebra. Text is compared byte for byte, and no character in it is a wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// All of these; an empty list matches every session.
    All(Vec<Condition>),
    /// At least one of these; an empty list matches no session.
    Any(Vec<Condition>),
    /// The session was not ended; it may have expired.
    NotEnded,
    /// The session has this id.
    IsSession(SessionId),
    /// The field equals this text.
    Is(TextField, String),
    /// The field contains this text.
    Contains(TextField, String),
    /// The field, written between a prefix and a suffix, contains this text.
    ContainsAround {
        /// The field.
        field: TextField,
        /// The prefix and the suffix.
        around: (String, String),
        /// The text to be found.
        text: String,
    },
    /// The instant is in the range.
    In(TimeField, Range),
}

/// Conditions that a session must meet, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The user.
    pub user_id: Option<UserId>,
    /// The users, of whom it must be one.
    pub users: Option<Vec<UserId>>,
    /// The state at the time of the search.
    pub state: Option<State>,
    /// The reason for which it was ended.
    pub ended_reason: Option<EndReason>,
    /// The application that the session was opened for.
    pub client_id: Option<String>,
    /// The kind of device.
    pub device_type: Option<DeviceType>,
    /// The network that the user signed in from, often of one address.
    pub ip_address: Option<Network>,
    /// The browser, as it is stored.
    pub browser: Option<String>,
    /// The operating system, as it is stored.
    pub os: Option<String>,
    /// The credential that the session was opened with.
    pub opened_by: Option<Opener>,
    /// The range for the time of opening.
    pub created: Range,
    /// The range for the time of the last use.
    pub last_seen: Range,
}

impl Filter {
    /// The filter for the sessions of an application alone; `None` when it asks for another's. Without an application it
    /// stays as it is.
    pub fn within(self, application: Option<&str>) -> Option<Self> {
        match (application, &self.client_id) {
            (None, _) => Some(self),
            (Some(application), None) => Some(Self { client_id: Some(application.to_owned()), ..self }),
            (Some(application), Some(asked)) => (asked == application).then_some(self),
        }
    }
}

/// A column to sort by. The session's id breaks ties, so that pages neither skip nor repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortField {
    /// The time of opening.
    CreatedAt,
    /// The time of the last use: only within one user, because no index over all sessions has this order.
    LastSeenAt,
    /// The expiry.
    ExpiresAt,
}

/// An order of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub field: SortField,
    /// Whether the latest come first.
    pub descending: bool,
}

impl Default for Sort {
    /// Newest first.
    fn default() -> Self {
        Self { field: SortField::CreatedAt, descending: true }
    }
}

impl Sort {
    /// Reads a field name, with `-` in front for latest first: `-created_at`.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let field = match name {
            "created_at" => SortField::CreatedAt,
            "last_seen_at" => SortField::LastSeenAt,
            "expires_at" => SortField::ExpiresAt,
            _ => {
                let message = "must be created_at, last_seen_at or expires_at, with - in front for descending";
                return Err(FieldError::new("sort", message));
            }
        };
        Ok(Self { field, descending })
    }
}

/// The last session of a page: the next page starts after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The session's value in the sort column.
    pub at: DateTime<Utc>,
    /// The session's id.
    pub id: SessionId,
}

/// The query for one page of a search.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The owner, whose sessions alone may appear.
    pub owner: Owner<'a>,
    /// The conditions.
    pub filter: &'a Filter,
    /// The order.
    pub sort: Sort,
    /// The last session of the page before.
    pub after: Option<Position>,
    /// The maximum number of sessions.
    pub limit: u32,
    /// The instant that states are computed for.
    pub now: DateTime<Utc>,
    /// Whether a read replica, a few seconds behind, may answer: never when a decision follows, or for a user's own
    /// sessions.
    pub may_lag: bool,
}

/// The order of a list; the id breaks ties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListingOrder {
    /// The id, which is nearly the order of opening.
    #[default]
    Id,
    /// The user's id.
    UserId,
    /// The time of opening.
    CreatedAt,
    /// The time of the last use. No index has this order, so only short lists are answered in time.
    LastSeenAt,
    /// The expiry.
    ExpiresAt,
}

/// The query for one page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// The condition on the sessions.
    pub condition: &'a Condition,
    /// The order.
    pub order: ListingOrder,
    /// Whether the latest come first.
    pub descending: bool,
    /// The number of sessions to skip.
    pub offset: u32,
    /// The maximum number of sessions.
    pub limit: u32,
    /// The bound up to which all matches are counted; `None`: no count.
    pub count_to: Option<u32>,
}
