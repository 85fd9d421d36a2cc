//! The callers of the server, and the owners whose sessions they reach.

use super::opener::Opener;
use super::scope::Scope;
use super::service_key::ServiceKeyId;
use super::session::{Session, SignedIn};
use super::session_id::SessionId;
use super::user::UserId;

/// A program with a service key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Tells services apart, and never changes for one: the key's id, `bootstrap`, or `command-line`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
}

impl Service {
    /// The bearer of the bootstrap key, who may do everything.
    pub fn bootstrap() -> Self {
        Self::with_everything(Opener::BOOTSTRAP)
    }

    /// Whoever may run this program on this database may do everything.
    pub fn command_line() -> Self {
        Self::with_everything(Opener::COMMAND_LINE)
    }

    fn with_everything(id: &str) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), scope: Scope::everything() }
    }

    /// Its key; the bootstrap key has no id.
    pub fn key_id(&self) -> Option<ServiceKeyId> {
        self.id.parse().ok().map(ServiceKeyId)
    }
}

/// What a credential resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A user, in one of their sessions.
    User(Box<SignedIn>),
    /// A program.
    Service(Service),
}

/// Whose sessions a store may look at: there is no look-up without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// This user's only; anybody else's do not exist.
    User(&'a UserId),
    /// Anybody's, for callers whose scope says so.
    Anyone,
}

impl<'a> Owner<'a> {
    /// The one user whose sessions they are.
    pub fn user(self) -> Option<&'a UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Anyone => None,
        }
    }
}

impl Caller {
    /// What it may do.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::User(signed_in) => &signed_in.session.scope,
            Self::Service(service) => &service.scope,
        }
    }

    /// The caller's own session, if it is a user.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::User(signed_in) => Some(&signed_in.session),
            Self::Service(_) => None,
        }
    }

    /// The id of the caller's own session, if it is a user.
    pub fn session_id(&self) -> Option<SessionId> {
        self.session().map(|session| session.id)
    }

    /// As which it opens sessions.
    pub fn opener(&self) -> Opener {
        match self {
            // The root of the chain: whoever ends everything that a leaked key opened must find what came of it later.
            Self::User(signed_in) => signed_in.session.opened_by.unwrap_or(Opener::Session(signed_in.session.id)),
            Self::Service(service) => match service.key_id() {
                Some(id) => Opener::Key(id),
                None if service.id == Opener::BOOTSTRAP => Opener::BootstrapKey,
                None => Opener::CommandLine,
            },
        }
    }
}
