//! The callers of the server, and the owners whose sessions they reach.

use super::opener::Opener;
use super::scope::Scope;
use super::service_key::ServiceKeyId;
use super::session::{Session, SignedIn};
use super::session_id::SessionId;
use super::user::UserId;

/// A program, identified by its service key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The stable identifier: the service key's id, `bootstrap`, or `command-line`.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// The rights.
    pub scope: Scope,
    /// The application whose sessions alone it reaches; `None`: any.
    pub application: Option<String>,
}

impl Service {
    /// The bearer of the bootstrap key, with every right.
    pub fn bootstrap() -> Self {
        Self::with_everything(Opener::BOOTSTRAP)
    }

    /// The command line, with every right: access to the program and its database is permission enough.
    pub fn command_line() -> Self {
        Self::with_everything(Opener::COMMAND_LINE)
    }

    fn with_everything(id: &str) -> Self {
        Self { id: id.to_owned(), name: id.to_owned(), scope: Scope::everything(), application: None }
    }

    /// The service key's id; `None` for the bootstrap key and the command line.
    pub fn key_id(&self) -> Option<ServiceKeyId> {
        self.id.parse().ok().map(ServiceKeyId)
    }
}

/// The identity behind a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A user, in one of their sessions.
    User(Box<SignedIn>),
    /// A program.
    Service(Service),
}

/// The users whose sessions a query may reach. Every query for somebody's session takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// One user. Sessions of other users are answered as if they did not exist.
    User(&'a UserId),
    /// Every user, for callers with the scope for it.
    Anyone,
}

impl<'a> Owner<'a> {
    /// The one user, or `None` for [`Owner::Anyone`].
    pub fn user(self) -> Option<&'a UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Anyone => None,
        }
    }
}

impl Caller {
    /// The caller's rights.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::User(signed_in) => &signed_in.session.scope,
            Self::Service(service) => &service.scope,
        }
    }

    /// The application that the caller's key is bound to; `None`: it is bound to none.
    pub fn application(&self) -> Option<&str> {
        match self {
            Self::User(_) => None,
            Self::Service(service) => service.application.as_deref(),
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

    /// The opener that is recorded for sessions of this caller.
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
