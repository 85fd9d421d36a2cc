//! The callers of the server, and the owners whose sessions they reach.

use std::fmt;

use uuid::Uuid;

use super::scope::Scope;
use super::service_key::ServiceKeyId;
use super::session::{Session, SessionId, SignedIn};
use super::user::UserId;

/// The credential that a session was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opener {
    /// A service key.
    Key(ServiceKeyId),
    /// The bootstrap key.
    BootstrapKey,
    /// The command line.
    CommandLine,
    /// A user's session.
    Session(SessionId),
}

impl Opener {
    const KEY: &'static str = "key:";
    const SESSION: &'static str = "session:";

    /// Reads what its `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        // One form only: a filter compares texts.
        let id = |id: &str| id.parse::<Uuid>().ok().filter(|uuid| uuid.to_string() == id);
        match text {
            Service::BOOTSTRAP => Some(Self::BootstrapKey),
            Service::COMMAND_LINE => Some(Self::CommandLine),
            _ => match text.strip_prefix(Self::KEY) {
                Some(key) => id(key).map(ServiceKeyId).map(Self::Key),
                None => id(text.strip_prefix(Self::SESSION)?).map(SessionId::from_uuid).map(Self::Session),
            },
        }
    }
}

/// `key:` or `session:` and an id, `bootstrap`, or `command-line`.
impl fmt::Display for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(formatter, "{}{id}", Self::KEY),
            Self::BootstrapKey => formatter.write_str(Service::BOOTSTRAP),
            Self::CommandLine => formatter.write_str(Service::COMMAND_LINE),
            Self::Session(id) => write!(formatter, "{}{id}", Self::SESSION),
        }
    }
}

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
    const BOOTSTRAP: &'static str = "bootstrap";
    const COMMAND_LINE: &'static str = "command-line";

    /// The bearer of the bootstrap key, who may do everything.
    pub fn bootstrap() -> Self {
        Self::with_everything(Self::BOOTSTRAP)
    }

    /// Whoever may run this program on this database may do everything.
    pub fn command_line() -> Self {
        Self::with_everything(Self::COMMAND_LINE)
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
            Self::User(signed_in) => Opener::Session(signed_in.session.id),
            Self::Service(service) => match service.key_id() {
                Some(id) => Opener::Key(id),
                None if service.id == Service::BOOTSTRAP => Opener::BootstrapKey,
                None => Opener::CommandLine,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opener_is_read_as_it_was_written_and_in_no_other_way() {
        let id = Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0001);
        let openers = [
            Opener::Key(ServiceKeyId(id)),
            Opener::Session(SessionId::from_uuid(id)),
            Opener::BootstrapKey,
            Opener::CommandLine,
        ];
        for opener in openers {
            assert_eq!(Opener::parse(&opener.to_string()), Some(opener));
        }
        let upper = format!("key:{}", id.to_string().to_uppercase());
        for text in ["", "key:", "key", &id.to_string(), &upper, &format!("key:{}", id.simple()), "Bootstrap"] {
            assert_eq!(Opener::parse(text), None, "{text}");
        }
    }
}
