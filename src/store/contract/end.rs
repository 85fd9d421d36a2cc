//! Ends of sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{AuditEntry, EndReason, Owner, Session, SessionId, UserId};

/// The outcome of ending one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndOutcome {
    /// Ended by this call.
    Ended(Box<Session>),
    /// Ended before; its time and reason stay as they were.
    AlreadyEnded(Box<Session>),
}

/// Upper limit of sessions that one statement ends; more need a bulk ending.
pub const MAX_ENDED_AT_ONCE: i64 = 5000;

/// The outcome of ending a user's sessions by one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedAtOnce {
    /// Every session was ended: the ids are those of the active ones, in order.
    Ended(Vec<SessionId>),
    /// More than [`MAX_ENDED_AT_ONCE`]: none was ended, and the caller must make a bulk ending.
    TooMany,
}

impl EndedAtOnce {
    /// The number of active sessions that were ended.
    pub fn number(&self) -> usize {
        match self {
            Self::Ended(ids) => ids.len(),
            Self::TooMany => 0,
        }
    }
}

/// Endings of sessions: of one, of all of a user, or of some by their ids. The entry of an ending of several gets the
/// number of those that were active.
#[async_trait]
pub trait EndStore: Send + Sync {
    /// Ends a session of `owner`, expired or not. The first call wins: time and reason never change after it. `None`
    /// when the id is unknown or the session is of another owner.
    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndOutcome>>;

    /// Ends an active session of `user`, and answers whether there was one. As in [`EndStore::end_sessions_of`], a
    /// session idle for too long is ended too, but the answer is `false`.
    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<bool>;

    /// Ends every active session of `user` except `except`, and answers their ids in order. Ends none when they are too
    /// many.
    ///
    /// Sessions idle for too long are ended too, but not answered: a use that another process has not written yet would
    /// make them active again. The same holds for [`UserStore::ban_user`](crate::store::UserStore::ban_user) and
    /// [`UserStore::delete_user`](crate::store::UserStore::delete_user).
    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<EndedAtOnce>;

    /// Ends the active ones among these sessions of `owner`, and answers them with their users, in the order of their
    /// ids. As in [`EndStore::end_sessions_of`], sessions idle for too long are ended too, but not answered.
    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Vec<(SessionId, UserId)>>;
}
