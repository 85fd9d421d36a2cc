//! Requests about one session, as they wait in a batcher.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{AuditEntry, EndReason, SessionId, UserId};

/// A request to move the end of a session.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) id: SessionId,
    pub(crate) owner: Option<UserId>,
    pub(crate) by: TimeDelta,
    pub(crate) now: DateTime<Utc>,
}

/// A request to end a session, whether it is active or not.
#[derive(Debug)]
pub(crate) struct EndingOfOne {
    pub(crate) id: SessionId,
    pub(crate) owner: Option<UserId>,
    pub(crate) reason: EndReason,
    pub(crate) now: DateTime<Utc>,
    /// Its entry in the audit trail.
    pub(crate) entry: Option<AuditEntry>,
}
