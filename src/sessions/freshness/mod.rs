//! How old an answer to "does this token still stand" may be, and what keeps it young.
//!
//! A strict answer is read from the store after it was asked for; reads that are asked for together go together
//! ([`reading`]). Where there is a copy of the session, no more is read than whether it still stands.
//!
//! A fresh answer may come from a copy in this process ([`copies`], [`packed`]), which is thrown out when the change log
//! tells of a change ([`following`]) and trusted only as long as the log is known to be read. A copy may only say yes:
//! whoever it would refuse is looked up in the store, because another replica may have prolonged the session.

mod copies;
mod following;
mod notices;
mod packed;
mod reading;

use std::time::Duration;

pub(super) use copies::Copies;
pub use following::{Followed, Follower};
pub(super) use following::{Progress, Signals};
pub(super) use reading::{Asking, Reader, SessionOfToken, SessionsOfUser, StandingOfSession};

/// How old an answer may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Not at all: whether the session stands is read after it was asked for. Its names and its user's may be as old as in a
    /// fresh answer.
    Strict,
    /// What this replica ended counts at once, what others ended after [`TRUSTED_FOR`] at the latest, and usually in
    /// milliseconds.
    #[default]
    Fresh,
}

impl Freshness {
    /// The choice of that name: `strict` or `fresh`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "strict" => Some(Self::Strict),
            "fresh" => Some(Self::Fresh),
            _ => None,
        }
    }

    /// The stricter of this and what was asked for: asking may tighten what is set, never loosen it.
    #[must_use]
    pub fn stricter(self, asked: Option<Self>) -> Self {
        if self == Self::Strict { self } else { asked.unwrap_or(self) }
    }
}

/// For how long after the log was last read to its end copies are taken for the truth.
pub const TRUSTED_FOR: Duration = Duration::from_millis(1500);
/// For how long after that reading copies may stand in for a store that does not answer.
pub const STANDING_IN_FOR: Duration = Duration::from_secs(5);
/// How long the store is waited for while a copy may stand in for it.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
