//! One-time links, as they are kept: without their text.

use chrono::{DateTime, Utc};

use super::opener::Opener;
use super::user::UserId;

/// The page that a one-time link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// The console of staff.
    Console,
    /// A user's account page.
    Account,
    /// The same, for the browser in which an account link was opened: it is found as often as it is asked for.
    Visit,
}

impl LinkPurpose {
    /// The word that the database and the log have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Account => "account",
            Self::Visit => "visit",
        }
    }

    /// Parses the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Console, Self::Account, Self::Visit].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A one-time link: what it opens, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeLink {
    /// The page that it opens.
    pub purpose: LinkPurpose,
    /// The user whose page it opens; `None`: it is nobody's.
    pub user: Option<UserId>,
    /// The application whose sessions alone the page shows; `None`: those of all.
    pub application: Option<String>,
    /// The credential that made it.
    pub made_by: Opener,
    /// The instant from which on it opens nothing.
    pub expires_at: DateTime<Utc>,
}
