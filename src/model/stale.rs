//! Rows past their retention.

use chrono::{DateTime, Utc};

use super::user::UserId;

/// Rows to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale<'a> {
    /// Sessions with an expiry at or before this instant, ended or not.
    Expired(DateTime<Utc>),
    /// Sessions ended at or before this instant.
    Ended(DateTime<Utc>),
    /// One user's sessions that have expired and were not ended.
    ExpiredOf {
        /// The user.
        user: &'a UserId,
        /// The instant that the expiry is compared with.
        at: DateTime<Utc>,
        /// The instant that the idle timeout is compared with.
        idle_at: DateTime<Utc>,
    },
    /// Idempotency keys first used at or before this instant.
    IdempotencyKeys(DateTime<Utc>),
    /// One-time links with an expiry at or before this instant.
    OneTimeLinks(DateTime<Utc>),
    /// Bulk endings that had been applied to all sessions at this instant.
    BulkEndings(DateTime<Utc>),
    /// Entries of the audit trail of this instant or before.
    AuditEntries(DateTime<Utc>),
}
