//! The freshness of an answer, and the bounds of stale ones.

use std::time::Duration;

/// How old an answer may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Not at all: whether the session stands is read after it was asked for. Its names and its user's may be as old as in a
    /// fresh answer.
    Strict,
    /// What this replica ended counts at once, what others ended after [`MAX_STALENESS`] at the latest, and usually in
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
pub const MAX_STALENESS: Duration = Duration::from_millis(1500);
/// For how long after that reading copies may stand in for a store that does not answer.
pub const STALE_IF_ERROR: Duration = Duration::from_secs(5);
/// How long the store is waited for while a copy may stand in for it.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
