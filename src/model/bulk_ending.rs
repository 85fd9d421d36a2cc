//! Bulk endings: the end of all sessions that match a filter.

use super::query::Filter;
use super::session::Ended;
use super::session_id::SessionId;

/// An ending of many sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkEnding {
    /// Which sessions: by what never changes of them.
    pub filter: Filter,
    /// Not this one.
    pub except: Option<SessionId>,
    /// When and why.
    pub ended: Ended,
}
