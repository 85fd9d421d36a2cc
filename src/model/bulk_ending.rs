//! Bulk endings: the end of all sessions that match a filter.

use super::query::Filter;
use super::session::Ended;
use super::session_id::SessionId;

/// A bulk ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkEnding {
    /// The sessions to end, by conditions on columns that never change.
    pub filter: Filter,
    /// The one session that is spared.
    pub except: Option<SessionId>,
    /// The time and the reason.
    pub ended: Ended,
}
