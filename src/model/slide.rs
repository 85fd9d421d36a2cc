//! The move of a session's end by a refresh.

use chrono::{DateTime, TimeDelta, Utc};

/// The move of a session's end by a refresh.
///
/// Each move writes to an index, so the end moves in steps of a tenth of the slide. After each refresh at least nine tenths
/// of the slide remain, or what is left to the absolute end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slide {
    /// The new end, cut at the absolute one.
    pub to: DateTime<Utc>,
    /// The latest end that is moved to `to`. The absolute end is moved to from any.
    pub due: DateTime<Utc>,
}

impl Slide {
    /// The slide of a refresh at `now`, where each moves the end ahead of it by `by`.
    pub fn by(by: TimeDelta, now: DateTime<Utc>) -> Self {
        let to = now + by;
        Self { to, due: to - by / 10 }
    }
}
