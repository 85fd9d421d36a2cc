//! The audit trail: what staff changed, an entry for each action.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::caller::Caller;
use super::opener::Opener;
use super::query::Range;

/// The request behind a change, as far as there was one: the command line has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The id of the request, by which the log has its line.
    pub request_id: Option<String>,
    /// The address that it came from, as far as addresses are stored.
    pub address: Option<IpAddr>,
}

/// Declares an enumeration of words that are stored. A word of a newer version reads as `Unknown`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)+
            /// A word that this version does not know, or nothing is known.
            Unknown,
        }

        impl $name {
            /// All that this version writes, by their words.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown => "unknown",
                }
            }

            /// The value of a stored word.
            pub fn stored(word: &str) -> Self {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).unwrap_or(Self::Unknown)
            }
        }
    };
}

words! {
    /// The kind of an actor.
    ActorKind {
        /// A service key; the actor's name is the key's.
        Key = "key",
        /// A user's session; the actor's name is the user's id.
        Session = "session",
        /// The bootstrap key.
        BootstrapKey = "bootstrap_key",
        /// The command line.
        CommandLine = "command_line",
    }
}

words! {
    /// The kind of a target.
    TargetKind {
        /// A session.
        Session = "session",
        /// A user.
        User = "user",
        /// A service key.
        Key = "key",
        /// An application.
        Application = "application",
    }
}

words! {
    /// An action.
    AuditAction {
        /// One session was ended.
        SessionEnded = "session.ended",
        /// The end of a session was moved.
        SessionExtended = "session.extended",
        /// A session's device name, metadata or claims were changed.
        SessionChanged = "session.changed",
        /// All sessions that met conditions, or some by their ids, were ended.
        SessionsEndedInBulk = "sessions.ended_in_bulk",
        /// A user was created or changed.
        UserChanged = "user.changed",
        /// A user was banned, or the reason of the ban was changed.
        UserBanned = "user.banned",
        /// A ban was lifted.
        UserUnbanned = "user.unbanned",
        /// A user was deleted.
        UserDeleted = "user.deleted",
        /// A user's personal data was erased.
        UserErased = "user.erased",
        /// All sessions of a user were ended.
        UserSessionsEnded = "user.sessions_ended",
        /// A service key was made.
        KeyCreated = "key.created",
        /// A service key was revoked.
        KeyRevoked = "key.revoked",
        /// Signing keys got successors.
        SigningKeysRotated = "signing_keys.rotated",
        /// An application was made.
        ApplicationCreated = "application.created",
        /// An application was changed.
        ApplicationChanged = "application.changed",
        /// An application was deleted.
        ApplicationDeleted = "application.deleted",
        /// Sessions past their retention were deleted by request.
        CleanupRan = "cleanup.ran",
        /// Somebody signed in to the console.
        ConsoleSignedIn = "console.signed_in",
        /// A sign-in to the console was refused.
        ConsoleSignInFailed = "console.sign_in_failed",
        /// Somebody signed out of the console.
        ConsoleSignedOut = "console.signed_out",
        /// A one-time link into the console was made.
        ConsoleLinkMade = "console.link_made",
        /// A one-time link to a user's account page was made by staff.
        AccountLinkMade = "account.link_made",
    }
}

/// The actor of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditActor {
    /// The kind of credential.
    pub kind: ActorKind,
    /// The id of the key or of the session.
    pub id: Option<String>,
    /// The name of the key, or the user's id of the session.
    pub name: Option<String>,
}

impl AuditActor {
    /// Somebody of whom nothing is known.
    pub const UNKNOWN: Self = Self { kind: ActorKind::Unknown, id: None, name: None };

    /// The holder of a credential.
    pub fn of_credential(credential: Opener) -> Self {
        let (kind, id) = match credential {
            Opener::Key(id) => (ActorKind::Key, Some(id.to_string())),
            Opener::Session(id) => (ActorKind::Session, Some(id.to_string())),
            Opener::BootstrapKey => (ActorKind::BootstrapKey, None),
            Opener::CommandLine => (ActorKind::CommandLine, None),
        };
        Self { kind, id, name: None }
    }
}

impl From<&Caller> for AuditActor {
    fn from(caller: &Caller) -> Self {
        let name = match caller {
            Caller::User(signed_in) => Some(signed_in.session.user_id.to_string()),
            Caller::Service(service) => service.key_id().map(|_| service.name.clone()),
        };
        Self { name, ..Self::of_credential(caller.credential()) }
    }
}

/// The object of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditTarget {
    /// The kind of thing.
    pub kind: TargetKind,
    /// Its id.
    pub id: String,
}

impl AuditTarget {
    /// The target of that kind and id.
    pub fn new(kind: TargetKind, id: &(impl ToString + ?Sized)) -> Self {
        Self { kind, id: id.to_string() }
    }
}

/// A particular of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DetailValue {
    /// A text, or an instant as text.
    Text(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
}

/// The particulars of an action, by name. No credential is among them, and of a user nothing but the reason of a ban.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditDetail(pub Vec<(String, DetailValue)>);

impl AuditDetail {
    /// The same with one more particular, unless the value is `None`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<DetailValue>) -> Self {
        self.0.extend(value.map(|value| (name.to_owned(), value)));
        self
    }

    /// The same with the text, if there is one.
    #[must_use]
    pub fn with_text(self, name: &str, text: Option<impl ToString>) -> Self {
        self.with(name, text.map(|text| DetailValue::Text(text.to_string())))
    }
}

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The id by which a repeated attempt is recognised: an entry is added once.
    pub id: Uuid,
    /// The time of the action, as the changed rows have it too.
    pub at: DateTime<Utc>,
    /// The actor.
    pub actor: AuditActor,
    /// The action.
    pub action: AuditAction,
    /// The object; `None`: it has no id.
    pub target: Option<AuditTarget>,
    /// The particulars.
    pub detail: AuditDetail,
    /// The request behind it.
    pub origin: Origin,
}

impl AuditEntry {
    /// The particular with the number of sessions that the action ended.
    pub const SESSIONS: &str = "sessions";

    /// The particular with the ids of the sessions that were to be ended.
    pub const IDS: &str = "ids";

    /// The entry of an action that ended this many sessions.
    #[must_use]
    pub fn with_sessions(&self, ended: u64) -> Self {
        let detail = self.detail.clone().with(Self::SESSIONS, Some(DetailValue::Number(ended)));
        Self { detail, ..self.clone() }
    }
}

/// The place of an entry in the trail: newer entries have higher ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPosition {
    /// The entry's time.
    pub at: DateTime<Utc>,
    /// The entry's number.
    pub sequence: i64,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAuditEntry {
    /// The number, which no other entry has.
    pub sequence: i64,
    /// The entry.
    pub entry: AuditEntry,
}

impl StoredAuditEntry {
    /// The place in the trail.
    pub fn position(&self) -> AuditPosition {
        AuditPosition { at: self.entry.at, sequence: self.sequence }
    }
}

/// The conditions on entries, all of which must be met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The id of the actor.
    pub actor: Option<String>,
    /// The action.
    pub action: Option<AuditAction>,
    /// The id of the target.
    pub target: Option<String>,
    /// The time.
    pub at: Range,
}

/// The query for one page of the trail, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditSearch<'a> {
    /// The conditions.
    pub filter: &'a AuditFilter,
    /// The last entry of the page before.
    pub after: Option<AuditPosition>,
    /// The maximum number of entries.
    pub limit: u32,
}
