//! Applications: what a client id stands for.

use chrono::{DateTime, TimeDelta, Utc};

use super::algorithm::Algorithm;
use super::scope::Scope;

/// The client id of the console's sessions.
pub const CONSOLE_CLIENT: &str = "sojourn-console";
/// The beginning of the user ids of services that are signed in to the console. No user has such an id.
pub const CONSOLE_USERS: &str = "console:";
/// The names of the cookies of the server's own pages: no application has one.
pub const RESERVED_COOKIES: [&str; 3] = ["__Host-sojourn-console", "sojourn-console", "__Host-sojourn-account"];
/// The client ids of the server's own pages: no application has one, and nobody else opens sessions for one.
pub const RESERVED_CLIENTS: [&str; 1] = [CONSOLE_CLIENT];

/// An application that sessions are opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The client id, which sessions and tokens name it by. Never changes.
    pub id: String,
    /// The settings.
    pub settings: ApplicationSettings,
    /// The time of creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change, by which two changes at once are told apart.
    pub updated_at: DateTime<Utc>,
}

/// The settings of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationSettings {
    /// The name for people.
    pub name: String,
    /// The `aud` of its access tokens; empty: the server's own audience.
    pub audiences: Vec<String>,
    /// The words that its sessions may have in their scope; `None`: any.
    pub scope: Option<Scope>,
    /// The longest lifetime of an access token; `None`: the server's.
    pub access_token_lifetime: Option<TimeDelta>,
    /// The longest time from opening to the latest expiry; `None`: the server's.
    pub absolute_lifetime: Option<TimeDelta>,
    /// The longest time without use; `None`: the server's.
    pub idle_timeout: Option<TimeDelta>,
    /// The names of claims that openers may add to its access tokens.
    pub claims: Vec<String>,
    /// The algorithm that signs its access tokens; `None`: the server's.
    pub signing_algorithm: Option<Algorithm>,
    /// The name of the cookie that carries its session tokens; `None`: the server's, if that has one.
    pub cookie_name: Option<String>,
}
