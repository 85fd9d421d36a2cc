//! Who is asking, and what they may do.

use std::fmt;

use uuid::Uuid;

use super::{Error, FieldError, Session, SessionId, SignedIn};
use crate::tokens::ServiceKeyId;
use crate::users::UserId;

/// The rights of a credential: space-separated words (RFC 6749 section 3.3), of which four are ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Opening sessions and telling who their users are: the right of a login service.
    pub const WRITE: &'static str = "sessions:write";
    /// Seeing anybody's sessions: introspection and search.
    pub const READ: &'static str = "sessions:read";
    /// Everything, on anybody's sessions.
    pub const ADMIN: &'static str = "sessions:admin";
    /// Opening sessions with rights that one has not oneself: a right of service keys only.
    pub const GRANT: &'static str = "sessions:grant";
    /// The words that mean something to this server.
    pub const RESERVED: [&'static str; 4] = [Self::WRITE, Self::READ, Self::ADMIN, Self::GRANT];
    /// The beginning of every word that is ours, now or later.
    pub(super) const PREFIX: &'static str = "sessions:";
    /// The longest scope, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Reads a scope; spaces are made single. Refuses characters that RFC 6749 does not allow.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if text.len() > Self::MAX_BYTES {
            return Err(FieldError::new("scope", format!("must have at most {} bytes", Self::MAX_BYTES)));
        }
        let allowed = |byte: u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
        if !text.bytes().all(allowed) {
            return Err(FieldError::new("scope", "must be words of printable ASCII without quotes or backslashes"));
        }
        Ok(Self(text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")))
    }

    /// Every right there is, for the bootstrap key.
    pub fn everything() -> Self {
        Self(Self::RESERVED.join(" "))
    }

    /// The words, separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each word.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// Whether `word` is among them.
    pub fn contains(&self, word: &str) -> bool {
        self.0.split(' ').any(|own| own == word)
    }

    /// Whether it grants `right`, which `sessions:admin` always does, but for `sessions:grant`.
    pub fn allows(&self, right: &str) -> bool {
        self.contains(right) || right != Self::GRANT && self.contains(Self::ADMIN)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

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

    /// Refuses a caller whose scope does not grant `right`.
    pub fn require(&self, right: &'static str) -> Result<(), Error> {
        if self.scope().allows(right) { Ok(()) } else { Err(Error::needs(right)) }
    }

    /// Whose sessions the caller reaches: anybody's with `right`, else its own. A service without `right` has none.
    pub fn reach(&self, right: &'static str) -> Result<Owner<'_>, Error> {
        match self {
            caller if caller.scope().allows(right) => Ok(Owner::Anyone),
            Self::User(signed_in) => Ok(Owner::User(&signed_in.session.user_id)),
            Self::Service(_) => Err(Error::needs(right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_its_words_and_admin_is_all_of_ours() {
        let scope = Scope::parse("  profile   sessions:read ").unwrap();
        assert_eq!(scope.as_str(), "profile sessions:read");
        assert!(scope.allows(Scope::READ));
        assert!(!scope.allows(Scope::WRITE));
        assert!(!scope.contains("sessions"), "no prefix counts as the word");
        let admin = Scope::parse("sessions:admin").unwrap();
        assert!(admin.allows(Scope::WRITE) && !admin.allows(Scope::GRANT));
        assert!(Scope::everything().allows(Scope::GRANT));
        assert_eq!(Scope::default().words().count(), 0);
    }

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

    #[test]
    fn a_scope_with_other_characters_is_refused() {
        for text in ["a\u{0}b", "a\nb", "a\"b", "a\\b", "é", &"a".repeat(1025)] {
            assert!(Scope::parse(text).is_err(), "{text:?}");
        }
    }
}
