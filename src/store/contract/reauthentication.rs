//! New authentications in running sessions.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::Result;
use super::open::Idempotency;
use crate::model::{Opener, Session, SessionId, UserId};

/// A new authentication of a session's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reauthentication {
    /// The session.
    pub id: SessionId,
    /// The session's user.
    pub user: UserId,
    /// The session's least counter when the caller decided: after another authentication nothing is written.
    pub seen_least_counter: u32,
    /// The last use of the session that this process has seen, if not yet written.
    pub seen_at: Option<DateTime<Utc>>,
    /// The new authentication context class.
    pub acr: Option<String>,
    /// The new authentication methods.
    pub amr: Vec<String>,
    /// The time of the authentication; an earlier one than the stored time leaves that as it is.
    pub authenticated_at: DateTime<Utc>,
    /// The latest absolute end. An earlier one stays.
    pub ends_at: DateTime<Utc>,
    /// The longest time without use; `None`: unlimited. A shorter one stays.
    pub idle_timeout: Option<TimeDelta>,
    /// The credential that told of the authentication, which becomes the session's opener.
    pub opened_by: Opener,
    /// The caller's promise that a repeat of the request means the same authentication.
    pub idempotency: Option<Idempotency>,
    /// The time of the request.
    pub now: DateTime<Utc>,
}

/// The outcome of a new authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reauthenticated {
    /// The session as it is now. Its refresh counter is one more than before, and is its least counter.
    Now(Box<Session>),
    /// The idempotency key belongs to an authentication of this session before; nothing was written.
    Repeated(Box<Session>),
    /// The idempotency key was used before, with another fingerprint; nothing was written.
    KeyReused,
    /// The session is not active, or its least counter has changed; nothing was written.
    NotWritten,
}

/// New authentications in running sessions.
#[async_trait]
pub trait ReauthenticationStore: Send + Sync {
    /// Writes a new authentication of an active session, in one compare-and-set. The session counts as seen `now`.
    ///
    /// Of two calls that race, one writes and the other answers [`Reauthenticated::NotWritten`], unless they have the same
    /// idempotency key: then the other waits and answers [`Reauthenticated::Repeated`]. A repeat is answered so whatever has
    /// become of the session.
    async fn reauthenticate_session(&self, authentication: &Reauthentication) -> Result<Reauthenticated>;
}
