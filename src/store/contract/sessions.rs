//! Reads of sessions, and changes that leave them active.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::Result;
use crate::model::{AuditEntry, Owner, Session, SessionId, SessionStats, SessionStatus, SignedIn, Touch, UserId};

/// Upper limit of sessions in one answer of [`SessionStore::active_sessions_of`]; a user with more sees the newest.
pub const MAX_LISTED: u32 = 1000;

/// A change to a session; `None` keeps the field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionChange {
    /// The name of the device; `Some(None)` removes it.
    pub device_name: Option<Option<String>>,
    /// The opener's own data.
    pub metadata: Option<crate::model::Metadata>,
    /// The opener's claims; `Some(None)` removes them.
    pub claims: Option<Option<crate::model::ExtraClaims>>,
}

/// Reads of sessions, and changes that do not end them.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The sessions that tokens name, with their users, in any order; unknown ids are skipped. The tokens prove that
    /// their holders may ask, so no owner is given.
    async fn sessions_of_tokens(&self, ids: &[SessionId]) -> Result<Vec<SignedIn>>;

    /// The statuses of the sessions that [`SessionStore::sessions_of_tokens`] would answer.
    async fn session_statuses(&self, ids: &[SessionId]) -> Result<Vec<SessionStatus>>;

    /// One session of `owner`, whatever its state. `None` when the id is unknown or the session is of another owner.
    async fn session(&self, id: SessionId, owner: Owner<'_>) -> Result<Option<Session>>;

    /// The active sessions of each user at `now`, newest first (by creation, then id), at most [`MAX_LISTED`] of each.
    async fn active_sessions_of_users(&self, users: &[UserId], now: DateTime<Utc>) -> Result<Vec<Session>>;

    /// The active sessions of one user, as [`SessionStore::active_sessions_of_users`] answers them.
    async fn active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<Vec<Session>> {
        self.active_sessions_of_users(std::slice::from_ref(user), now).await
    }

    /// The active sessions of a user at `now` that were opened in the range `from <= x < to`, as
    /// [`SessionStore::active_sessions_of`] answers them.
    async fn active_sessions_opened(
        &self,
        user: &UserId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Session>>;

    /// The number of active sessions of a user at `now`, including those beyond [`MAX_LISTED`].
    async fn count_active_sessions_of(&self, user: &UserId, now: DateTime<Utc>) -> Result<u64>;

    /// The number of sessions of a user that are active at `now`, and of those that have expired or been idle for too
    /// long. Ended ones do not count.
    async fn session_stats(&self, user: &UserId, now: DateTime<Utc>) -> Result<SessionStats>;

    /// Writes when sessions were last used and the highest refresh counters seen. Neither ever moves back, an address is written unless a later use is stored, ended
    /// sessions stay unchanged, and unknown ids are skipped. May be lost in a crash. `touches` are in the order of
    /// their ids, each id once.
    async fn touch_sessions(&self, touches: &[Touch]) -> Result<()>;

    /// Moves the end of an active session of `owner` by `by`, at most to its absolute end, and answers the session.
    /// `None` when the id is unknown, or the session is of another owner or not active.
    async fn extend_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        by: TimeDelta,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<Session>>;

    /// Changes the device name, the metadata or the claims of an active session of `owner`, and answers the session. `None` when
    /// the id is unknown, or the session is of another owner or not active.
    async fn change_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        change: &SessionChange,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<Session>>;
}
