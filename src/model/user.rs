//! Users, as far as sessions need them: an opaque id, a name and an email address to show, and a ban.

use std::fmt;

use chrono::{DateTime, Utc};

use super::field_error::FieldError;
use super::text;

/// The maximum length of a user id, in characters.
pub const MAX_USER_ID_CHARS: usize = 255;
/// The maximum length of a name or email address, in characters.
pub const MAX_USER_DETAIL_CHARS: usize = 255;
/// The maximum length of the reason of a ban, in characters.
pub const MAX_BAN_REASON_CHARS: usize = 255;

/// A user's id: opaque, 1 to 255 characters, no control characters, no space at its ends, compared byte for byte.
///
/// Nothing is folded or normalised: `Ann` and `ann`, or two spellings of `é`, are two users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// Parses a user id, or returns the reason why it is refused.
    pub fn parse(text: impl Into<String>) -> Result<Self, FieldError> {
        let id = text::required("user_id", text.into(), MAX_USER_ID_CHARS)?;
        // Gateways pass the id on in a header, where outer space is not part of the value (RFC 9110 section 5.5).
        if id.trim() != id {
            return Err(FieldError::new("user_id", "must not begin or end with a space"));
        }
        Ok(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The details of a user that an opener or an administrator sends. `None` leaves the stored value unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserDetails {
    /// A name to show.
    pub name: Option<String>,
    /// An email address to show. Several users may have the same.
    pub email: Option<String>,
}

impl UserDetails {
    /// The details that an opener sends. They never make a sign-in fail: a name is cut to length, and an invalid
    /// address is left out, because half an address is somebody else's.
    pub fn cleaned(name: Option<String>, email: Option<String>) -> Self {
        let name = text::cleaned(name, MAX_USER_DETAIL_CHARS);
        Self { name, email: text::optional("user.email", email, MAX_USER_DETAIL_CHARS).unwrap_or_default() }
    }

    /// Checks lengths (255 characters each) and refuses control characters.
    pub fn parse(name: Option<String>, email: Option<String>) -> Result<Self, FieldError> {
        Ok(Self {
            name: text::optional("user.name", name, MAX_USER_DETAIL_CHARS)?,
            email: text::optional("user.email", email, MAX_USER_DETAIL_CHARS)?,
        })
    }
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// A name to show.
    pub name: Option<String>,
    /// An email address to show.
    pub email: Option<String>,
    /// The time since which the user may have no session; `None`: not banned.
    pub banned_at: Option<DateTime<Utc>>,
    /// The reason of the ban, if staff gave one. Only the user's own row has it; a session's copy of its user has not.
    pub ban_reason: Option<String>,
    /// The time when this server first saw the user.
    pub created_at: DateTime<Utc>,
    /// The time of the last change to the name, the address, the ban or its reason.
    pub updated_at: DateTime<Utc>,
}
