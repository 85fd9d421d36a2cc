//! Rows past their retention.

use chrono::{DateTime, Utc};

use super::user::UserId;

/// What is kept no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale<'a> {
    /// Sessions whose end was at this instant or before, whether somebody ended them earlier or not.
    Expired(DateTime<Utc>),
    /// Sessions that somebody ended at this instant or before.
    Ended(DateTime<Utc>),
    /// One user's sessions that nobody ended.
    ExpiredOf {
        /// The user.
        user: &'a UserId,
        /// Past their end at this instant.
        at: DateTime<Utc>,
        /// Idle for too long at this instant.
        idle_at: DateTime<Utc>,
    },
    /// Idempotency keys first used at this instant or before.
    IdempotencyKeys(DateTime<Utc>),
    /// Bulk endings that all sessions had been brought up to at this instant.
    BulkEndings(DateTime<Utc>),
}
