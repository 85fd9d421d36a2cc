//! The freshness of an answer, and the bounds of stale ones.

use std::time::Duration;

/// The age that an answer may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// The session's status is read after the request. Its name and its user's details may be as old as in a fresh answer.
    Strict,
    /// Endings of this replica count at once, those of others after [`MAX_STALENESS`] at the latest, and usually in
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

/// Time after the last complete read of the change log for which cache entries are current.
pub const MAX_STALENESS: Duration = Duration::from_millis(1500);
/// Time after that read for which cache entries may be answered while the store does not answer (RFC 5861).
pub const STALE_IF_ERROR: Duration = Duration::from_secs(5);
/// Time that the store gets to answer while a stale entry could be answered.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
