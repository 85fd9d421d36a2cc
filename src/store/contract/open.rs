//! Opening of sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{Session, SessionId, SessionLimit, SignedIn, User, UserDetails};

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session, complete and active.
    pub session: Session,
    /// The details of the user that the opener gave; `None` in them keeps the stored value.
    pub user: UserDetails,
    /// The limit of active sessions for the user.
    pub limit: Option<SessionLimit>,
    /// Whether the limit counts only sessions of the same application, for a key that must not reach others.
    pub limit_by_application: bool,
    /// The opener's promise that a repeat of the request means the same session.
    pub idempotency: Option<Idempotency>,
    /// The session that the new one replaces.
    pub replaces: Option<Replaced>,
}

/// A session of the same user that a new one replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The session.
    pub id: SessionId,
    /// The application that the session must be of; `None`: of any or none.
    pub application: Option<String>,
}

impl NewSession {
    /// Whether it has neither a session limit nor an idempotency key and replaces no session, which is the usual case:
    /// PostgreSQL batches only these.
    pub(crate) fn is_plain(&self) -> bool {
        self.limit.is_none() && self.idempotency.is_none() && self.replaces.is_none()
    }
}

/// An idempotency key, as a client sent it with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The service that sent it: another service's equal key is another key.
    pub service: String,
    /// The key.
    pub key: String,
    /// A hash of the request that it came with.
    pub fingerprint: Vec<u8>,
    /// A key first used at this instant or before is forgotten.
    pub forget_before: DateTime<Utc>,
}

/// The outcome of opening a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// The session was opened.
    Opened {
        /// The user as stored now.
        user: User,
        /// The sessions that made room for it, in the order of their ids. They were ended with
        /// [`EndReason::Replaced`](crate::model::EndReason::Replaced).
        evicted: Vec<SessionId>,
        /// The session that it replaced and that was active until then, ended with the same reason.
        replaced: Option<SessionId>,
    },
    /// The idempotency key belongs to this session, opened before; nothing was written.
    Repeated(Box<SignedIn>),
    /// The idempotency key was used before, with another fingerprint; nothing was written.
    KeyReused,
    /// The user is banned; nothing was written.
    UserBanned,
    /// The user has as many sessions as allowed; nothing was written.
    LimitReached,
    /// The session to be replaced does not exist, or is another user's or application's; nothing was written.
    NothingToReplace,
    /// A bulk ending covers sessions up to this instant, and the new session is not younger: the clock of this process
    /// is behind. Nothing was written.
    Outrun(DateTime<Utc>),
}

/// Opening of sessions.
#[async_trait]
pub trait OpenStore: Send + Sync {
    /// Opens a session and stores its user, and enforces the ban of the user, the limit and the idempotency key.
    ///
    /// A new user is created, and given details replace the stored ones. Of two calls for one user that race for the
    /// last session under a limit, one opens it. A call that races a ban either comes before it, and the ban ends its
    /// session, or answers [`Opening::UserBanned`]. Of two calls that race with one idempotency key, one opens and the
    /// other waits and answers [`Opening::Repeated`]. A repeat is answered so whatever has become of the session. The session
    /// that it replaces does not count under the limit, and may have ended before.
    async fn open_session(&self, new: &NewSession) -> Result<Opening>;
}
