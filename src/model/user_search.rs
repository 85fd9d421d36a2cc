//! Searches for users, and for sessions by the details of their users.

use super::query::Filter;
use super::user::UserId;

/// A comparison with a user's name. The case of ASCII letters makes no difference; no character is a wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMatch<'a> {
    /// The whole name.
    Whole(&'a str),
    /// The beginning of the name.
    Prefix(&'a str),
}

/// The query for one page of users, in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserSearch<'a> {
    /// The beginning of the id, to the letter, or of the name or the address, whatever the case of their ASCII letters.
    pub text: Option<&'a str>,
    /// The id.
    pub id: Option<&'a UserId>,
    /// The name.
    pub name: Option<NameMatch<'a>>,
    /// The whole address, whatever the case of its ASCII letters.
    pub email: Option<&'a str>,
    /// Whether the user is banned.
    pub banned: Option<bool>,
    /// The last user of the page before.
    pub after: Option<&'a UserId>,
    /// The maximum number of users.
    pub limit: u32,
    /// Whether a read replica, a few seconds behind, may answer: never when a decision follows.
    pub may_lag: bool,
}

/// Conditions on sessions and on the details of their users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// The conditions on the session.
    pub filter: Filter,
    /// The user's name.
    pub user_name: Option<String>,
    /// The user's address.
    pub email: Option<String>,
}

impl From<Filter> for Criteria {
    fn from(filter: Filter) -> Self {
        Self { filter, user_name: None, email: None }
    }
}
