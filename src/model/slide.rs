//! The extension of a session's expiry by a refresh.

use chrono::{DateTime, TimeDelta, Utc};

/// The extension of a session's expiry by a refresh.
///
/// Each move writes to an index, so the expiry moves in steps of a tenth of the slide. After each refresh at least nine
/// tenths of the slide remain, or the time up to the absolute expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slide {
    /// The new expiry, which the store caps at the absolute one.
    pub to: DateTime<Utc>,
    /// The latest expiry that moves to `to`: a later one is close enough. A move to the absolute expiry has no such
    /// limit.
    pub due: DateTime<Utc>,
}

impl Slide {
    /// The slide of a refresh at `now`, for a policy that keeps the expiry `by` ahead of each refresh.
    pub fn by(by: TimeDelta, now: DateTime<Utc>) -> Self {
        let to = now + by;
        Self { to, due: to - by / 10 }
    }
}
