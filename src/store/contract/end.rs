//! Ends of sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{EndReason, Owner, Session, SessionId, UserId};

/// The outcome of ending one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndOutcome {
    /// The session was ended by this call.
    Ended(Box<Session>),
    /// The session had ended before; its time and reason stay as they were.
    AlreadyEnded(Box<Session>),
}

/// The most sessions that are ended by one statement; a bulk ending takes the rest.
pub const MAX_ENDED_AT_ONCE: i64 = 5000;

/// The outcome of ending a user's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedAtOnce {
    /// All were ended: these are the active ones among them, in order.
    Ended(Vec<SessionId>),
    /// They are more than [`MAX_ENDED_AT_ONCE`]: none was ended by this, and a bulk ending is due.
    TooMany,
}

/// Endings of one session, of a user's, and of named ones.
#[async_trait]
pub trait EndStore: Send + Sync {
    /// Ends a session of `owner`, expired or not. The first call wins: when and why never change after it.
    /// `None` when there is none or it is another's.
    async fn end_session(
        &self,
        id: SessionId,
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<EndOutcome>>;

    /// Ends an active session of `user`, and says whether there was one. As [`EndStore::end_sessions_of`] it ends one idle
    /// for too long too, but says that there was none.
    async fn end_active_session(
        &self,
        id: SessionId,
        user: &UserId,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<bool>;

    /// Ends every active session of `user` but `except`, and answers their ids, in order; or none when they are too many.
    ///
    /// Sessions idle for too long are ended too, though not answered: a use that another process has not written yet
    /// would bring them back. The same goes for [`UserStore::ban_user`](crate::store::UserStore::ban_user) and [`UserStore::delete_user`](crate::store::UserStore::delete_user).
    async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<EndedAtOnce>;

    /// Ends the active ones among these sessions of `owner`, and answers them with their users, in the order of their ids.
    /// As in [`EndStore::end_sessions_of`], those idle for too long are ended too, though not answered.
    async fn end_named_sessions(
        &self,
        ids: &[SessionId],
        owner: Owner<'_>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Vec<(SessionId, UserId)>>;
}
