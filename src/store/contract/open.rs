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
    /// The user's details; `None` leaves the stored ones.
    pub user: UserDetails,
    /// The limit on the user's active sessions.
    pub limit: Option<SessionLimit>,
    /// The opener's promise that a repeat of the request means the same session.
    pub idempotency: Option<Idempotency>,
}

impl NewSession {
    /// Whether nothing else decides if it is opened than the user and the bulk endings, which is the usual case.
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
    /// The session was opened. `evicted` made room for it, in the order of their ids.
    Opened {
        /// The user as stored now.
        user: User,
        /// The sessions ended with [`EndReason::Replaced`](crate::model::EndReason::Replaced).
        evicted: Vec<SessionId>,
    },
    /// The idempotency key stands for this session, opened before; nothing was written.
    Repeated(Box<SignedIn>),
    /// The idempotency key was used before, with another fingerprint; nothing was written.
    KeyReused,
    /// The user is banned; nothing was written.
    UserBanned,
    /// The user has as many sessions as allowed; nothing was written.
    LimitReached,
    /// A bulk ending reaches to this instant, and the session would be no younger: its clock is behind. Nothing was
    /// written.
    Outrun(DateTime<Utc>),
}

/// The opening of sessions.
#[async_trait]
pub trait OpenStore: Send + Sync {
    /// Opens a session: keeps its user, honours the user's ban, the limit and the idempotency key, all in one.
    ///
    /// The user is created when new, and told details replace the stored ones. Of two calls for one user that race for
    /// the last place under a limit, one gets it; a call that races a ban is either before it, and its session is ended
    /// by it, or answers [`Opening::UserBanned`]. Of two calls that race with one idempotency key, one opens and the
    /// other waits and answers [`Opening::Repeated`]; a repeat is answered so whatever has become of the session.
    async fn open_session(&self, new: &NewSession) -> Result<Opening>;
}
