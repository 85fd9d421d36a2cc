//! Bulk endings: the end of all sessions that match a filter.

use super::query::Filter;
use super::session::Ended;
use super::session_id::SessionId;

/// A bulk ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkEnding {
    /// The sessions to end, by conditions on columns that do not change while a session has ended: what it covers once, it
    /// covers until it is applied.
    pub filter: Filter,
    /// The one session that is spared.
    pub except: Option<SessionId>,
    /// The time and the reason.
    pub ended: Ended,
}
