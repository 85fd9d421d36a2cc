//! What can be searched for, typed: wire formats translate into it, the stores compile it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::caller::Owner;
use super::device::DeviceType;
use super::field_error::FieldError;
use super::opener::Opener;
use super::session::State;
use super::session_id::SessionId;
use super::user::UserId;

/// The most sessions on one page.
pub const MAX_PAGE: u32 = 200;
/// The sessions on a page when none was asked for.
pub const DEFAULT_PAGE: u32 = 50;

/// A half-open range of instants: `from <= x < to`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Range {
    /// The first instant in it.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after it.
    pub to: Option<DateTime<Utc>>,
}

/// A text that a condition can look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextField {
    /// The id as it is written.
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
    /// When it was opened.
    CreatedAt,
    /// When it was last used, as far as it is written.
    LastSeenAt,
    /// When it ends by itself.
    ExpiresAt,
}

/// What a session must be like: a small algebra. Text is compared byte for byte, and no character in it is special.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Condition {
    /// All of these; none of them: every session.
    All(Vec<Condition>),
    /// One of these at least; none of them: no session.
    Any(Vec<Condition>),
    /// Nobody has ended it.
    NotEnded,
    /// It is this one.
    IsSession(SessionId),
    /// The field is exactly this text.
    Is(TextField, String),
    /// This text is somewhere in the field.
    Contains(TextField, String),
    /// This text is somewhere in what the field is between two others.
    ContainsAround {
        /// The field.
        field: TextField,
        /// The text before and after the field.
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
    /// Of this user.
    pub user_id: Option<UserId>,
    /// In this state at the time of the search.
    pub state: Option<State>,
    /// Opened for this application.
    pub client_id: Option<String>,
    /// On such a device.
    pub device_type: Option<DeviceType>,
    /// From exactly this address.
    pub ip_address: Option<IpAddr>,
    /// Opened with this credential.
    pub opened_by: Option<Opener>,
    /// Opened in this range.
    pub created: Range,
    /// Last seen in this range.
    pub last_seen: Range,
}

/// What to sort by. The session's id decides between equals, so that pages neither skip nor repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortField {
    /// When it was opened.
    CreatedAt,
    /// When it was last seen: only within one user, because no index holds all sessions in this order.
    LastSeenAt,
    /// When it ends by itself.
    ExpiresAt,
}

/// An order of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// What to sort by.
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
    /// The value it was sorted by.
    pub at: DateTime<Utc>,
    /// Its id.
    pub id: SessionId,
}

/// One page of a search, as a store answers it.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Whose sessions may appear.
    pub owner: Owner<'a>,
    /// Which of them.
    pub filter: &'a Filter,
    /// In which order.
    pub sort: Sort,
    /// After which one.
    pub after: Option<Position>,
    /// How many at most.
    pub limit: u32,
    /// The instant that states are told at.
    pub now: DateTime<Utc>,
    /// A read replica's answer, a few seconds old, is good enough: never where a decision follows, or for one user's own.
    pub may_lag: bool,
}

/// What a list is sorted by; the id decides between equals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListingOrder {
    /// The id, which is nearly the order of opening.
    #[default]
    Id,
    /// The user's id.
    UserId,
    /// When it was opened.
    CreatedAt,
    /// When it was last used: read from no index, so only short lists come back in time.
    LastSeenAt,
    /// When it ends by itself.
    ExpiresAt,
}

/// One page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// Which sessions are in it.
    pub condition: &'a Condition,
    /// What it is sorted by.
    pub order: ListingOrder,
    /// Whether the latest come first.
    pub descending: bool,
    /// How many to skip.
    pub offset: u32,
    /// How many to answer.
    pub limit: u32,
    /// How far to count them all; `None`: not at all.
    pub count_to: Option<u32>,
}
