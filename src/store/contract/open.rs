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
    /// The opener's promise that a repeat of the request means the same session.
    pub idempotency: Option<Idempotency>,
}

impl NewSession {
    /// Whether it has neither a session limit nor an idempotency key, which is the usual case: PostgreSQL batches only
    /// these.
    pub(crate) fn is_plain(&self) -> bool {
        self.limit.is_none() && self.idempotency.is_none()
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
    /// The session was opened. The `evicted` ones made room for it, in the order of their ids.
    Opened {
        /// The user as stored now.
        user: User,
        /// The sessions ended with [`EndReason::Replaced`](crate::model::EndReason::Replaced).
        evicted: Vec<SessionId>,
    },
    /// The idempotency key belongs to this session, opened before; nothing was written.
    Repeated(Box<SignedIn>),
    /// The idempotency key was used before, with another fingerprint; nothing was written.
    KeyReused,
    /// The user is banned; nothing was written.
    UserBanned,
    /// The user has as many sessions as allowed; nothing was written.
    LimitReached,
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
    /// other waits and answers [`Opening::Repeated`]. A repeat is answered so whatever has become of the session.
    async fn open_session(&self, new: &NewSession) -> Result<Opening>;
}
