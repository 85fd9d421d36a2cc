//! The errors of the core. Each API family has its own words for them.

use super::requirements::Unmet;
use crate::clock::EntropyUnavailable;
use crate::metrics::RefusedFor;
use crate::model::{FieldError, Scope, SessionId, State, UserId};
use crate::store;
use crate::tokens::TokenError;

/// The reason why a credential was refused: for the log, never for the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request had no credential.
    #[error("no credential")]
    Missing,
    /// The request had more than one credential.
    #[error("more than one credential")]
    Several,
    /// A cookie came with a state-changing request from another site.
    #[error("cross-site request by cookie")]
    CrossSite,
    /// A cookie came with a state-changing request that does not tell its origin, so that no browser's page sent it.
    #[error("request by cookie without an origin")]
    NoOrigin,
    /// The token came in the cookie of another application.
    #[error("a cookie of another application")]
    OtherApplication,
    /// The credential does not have the rights that the console needs.
    #[error("no rights at the console")]
    Powerless,
    /// The credential is not a valid token, or not of a kind for this use.
    #[error("not a valid token: {0}")]
    Token(#[from] TokenError),
    /// The token's session does not exist, or is not its subject's.
    #[error("unknown session")]
    UnknownSession,
    /// The token's session has ended or expired.
    #[error("session is {}", .0.as_str())]
    NotActive(State),
    /// The token's session has ended, and its user is banned.
    #[error("user is banned")]
    Banned(UserId),
    /// The service key is unknown, revoked or expired.
    #[error("service key is unknown, revoked or expired")]
    ServiceKey,
    /// The one-time link is unknown, used or expired, of another purpose, or its maker may do nothing any more.
    #[error("one-time link is unknown, used or expired")]
    Link,
    /// The credential is a service key, where a user's session is needed.
    #[error("a service has no session")]
    NotAUser,
}

impl Refusal {
    /// The kind, as it is counted.
    pub fn kind(&self) -> RefusedFor {
        match self {
            Self::Missing => RefusedFor::Missing,
            Self::Several => RefusedFor::Several,
            Self::CrossSite => RefusedFor::CrossSite,
            Self::NoOrigin => RefusedFor::NoOrigin,
            Self::Token(_) | Self::OtherApplication | Self::Powerless => RefusedFor::InvalidToken,
            Self::UnknownSession => RefusedFor::UnknownSession,
            // An active session is not refused.
            Self::NotActive(State::Ended | State::Active) => RefusedFor::Ended,
            Self::NotActive(State::Expired) => RefusedFor::Expired,
            Self::NotActive(State::IdleExpired) => RefusedFor::IdleExpired,
            Self::Banned(_) => RefusedFor::Banned,
            Self::ServiceKey => RefusedFor::ServiceKey,
            Self::Link => RefusedFor::Link,
            Self::NotAUser => RefusedFor::NotAUser,
        }
    }
}

/// The reason why a refresh was refused: never for the answer, which has `invalid_grant` or `invalid_scope` (RFC 6749
/// section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// The token is not a valid refresh token.
    #[error("not a valid token: {0}")]
    Token(#[from] TokenError),
    /// The token's session does not exist or is not active, or the token is from before the last authentication in it.
    #[error("no active session for this token")]
    NotActive,
    /// The token was spent before: the session has been ended.
    #[error("spent token presented again")]
    Reuse,
    /// The token's session was opened for another client.
    #[error("another client's token")]
    OtherClient,
    /// The requested scope has a word that the session's scope has not.
    #[error("a wider scope was asked for")]
    WiderScope,
}

/// The reason why the store keeps the server from being ready.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NotReady {
    #[error("the database does not answer")]
    Database(#[source] store::Error),
    #[error("the database has not been migrated to this version")]
    Migrations,
}

/// The errors of the core.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller could not be authenticated.
    #[error("not authenticated: {0}")]
    Unauthenticated(#[from] Refusal),
    /// The client did not authenticate with a service key as its secret (RFC 6749 section 5.2).
    #[error("client not authenticated: {0}")]
    InvalidClient(Refusal),
    /// The caller may not do this.
    #[error("the scope {needed} is needed")]
    Forbidden {
        /// The scope that would allow it.
        needed: &'static str,
    },
    /// The session does not meet what the route behind a gateway requires.
    #[error("requirement not met: {0:?}")]
    Unmet(Unmet),
    /// No such session, or not one that the caller may know of.
    #[error("no such session")]
    SessionNotFound,
    /// Several sessions match this handle.
    #[error("several sessions match this handle")]
    AmbiguousSession(Vec<SessionId>),
    /// The session is not active, so it cannot be changed.
    #[error("the session is not active")]
    SessionNotActive,
    /// No such user.
    #[error("no such user")]
    UserNotFound,
    /// The caller's key is bound to one application, and the operation concerns others too.
    #[error("the key is bound to one application")]
    BoundKey,
    /// No such application.
    #[error("no such application")]
    ApplicationNotFound,
    /// An application of that client id exists.
    #[error("the application exists")]
    ApplicationExists,
    /// No such service key.
    #[error("no such service key")]
    ServiceKeyNotFound,
    /// The user is banned, so it may have no session.
    #[error("the user is banned")]
    UserBanned,
    /// The user has reached the session limit, and policy is to reject more.
    #[error("the user has reached the session limit")]
    SessionLimitReached,
    /// The idempotency key was used before, with a different request.
    #[error("the idempotency key was used with a different request")]
    IdempotencyKeyReused,
    /// The refresh token is refused.
    #[error("refresh refused: {0}")]
    InvalidGrant(#[from] GrantRefusal),
    /// Fields of the request are invalid.
    #[error("invalid: {}", .0.iter().map(|error| format!("{} {}", error.field, error.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// The search is too broad: it would read too much.
    #[error("the search is too broad")]
    SearchTooBroad,
    /// The operator's limit of open streams is reached.
    #[error("too many streams are open")]
    TooManyStreams,
    /// The store does not answer for now.
    #[error("the store is not available")]
    Unavailable(#[source] store::Error),
    /// A defect of this server.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The refusal for a caller that lacks `scope`.
    pub fn needs(scope: &'static str) -> Self {
        debug_assert!(Scope::RESERVED.contains(&scope), "only our own scopes are asked for");
        Self::Forbidden { needed: scope }
    }
}

impl From<FieldError> for Error {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl From<Unmet> for Error {
    fn from(unmet: Unmet) -> Self {
        Self::Unmet(unmet)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::Unavailable(error),
            store::Error::TooSlow => Self::SearchTooBroad,
            store::Error::Internal(source) => Self::Internal(Box::new(source)),
        }
    }
}

impl From<EntropyUnavailable> for Error {
    fn from(error: EntropyUnavailable) -> Self {
        Self::Internal(error.into())
    }
}
