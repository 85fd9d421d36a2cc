//! Reads of sessions, and changes that leave them active.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::Result;
use crate::model::{Owner, Session, SessionId, SessionStats, SessionStatus, SignedIn, Touch, UserId};

/// The most sessions that [`SessionStore::active_sessions_of`] answers; a user with more sees the newest.
pub const MAX_LISTED: u32 = 1000;

/// A change to a session; `None` leaves the field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionChange {
    /// The device's name; `Some(None)` takes it away.
    pub device_name: Option<Option<String>>,
    /// The opener's own data.
    pub metadata: Option<crate::model::Metadata>,
}

/// Reads of sessions, and changes that leave them active.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The sessions that tokens name, with their users, in any order; an id that there is none of is passed over. The
    /// tokens are the proof that their holders may ask, so no owner is named.
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>>;

    /// The statuses of sessions, as [`SessionStore::sessions_of_tokens`] would answer them.
    async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>>;

    /// One session of `owner`, whatever its state. `None` when there is none or it is another's.
    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>>;

    /// The active sessions of each user at `now`, newest first (by creation, then id), at most [`MAX_LISTED`] of each.
    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>>;

    /// The active sessions of one user, as [`SessionStore::active_sessions_of_users`] answers them.
    async fn active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        self.active_sessions_of_users(std::slice::from_ref(user), now).await
    }

    /// A user's active sessions at `now` that were opened in the range `from <= x < to`, as
    /// [`SessionStore::active_sessions_of`] answers them.
    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>>;

    /// The number of a user's active sessions at `now`, also of those that [`SessionStore::active_sessions_of`] leaves out.
    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64>;

    /// Numbers of a user's sessions that are active at `now`, and that have expired or been idle for too long. Ended
    /// sessions do not count.
    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats>;

    /// Writes when sessions were last used and the highest refresh counters seen. Never moves either back, never
    /// touches an ended session, passes over ids that do not exist. May be lost in a crash, and only it.
    /// `touches` are in the order of their ids, each id once.
    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()>;

    /// Moves the end of an active session of `owner` by `by`, at most to its absolute end, and answers it.
    /// `None` when there is none, it is another's, or it is not active.
    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>>;

    /// Changes what people see of an active session of `owner`, and answers it.
    /// `None` when there is none, it is another's, or it is not active.
    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>>;
}
