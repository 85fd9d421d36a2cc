//! Refreshes.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::Result;
use crate::model::{Session, SessionId, Slide};

/// A refresh token's wish for a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshAttempt {
    /// The session.
    pub id: SessionId,
    /// The counter in the token presented.
    pub presented: u32,
    /// The highest counter that this process has seen in an access token and not yet written.
    pub seen_counter: u32,
    /// When this process has last seen the session used, if that is not yet written.
    pub seen_at: Option<DateTime<Utc>>,
    /// Now.
    pub now: DateTime<Utc>,
    /// The grace: time after a rotation in which the predecessor is answered, whatever happened since.
    pub grace: TimeDelta,
    /// The move of the session's end; `None`: it stays.
    pub slide: Option<Slide>,
}

/// The outcome of a refresh.
///
/// With `c` the session's counter and `p` the one presented, for an active session:
/// `p >= c` rotates to `p + 1` (`p > c` happens when a database was restored from a backup: the token is genuine, so nobody
/// is logged out). `p + 1 = c` is the predecessor: it gets the session as it is when the last rotation is younger than the
/// grace, or when no access token of counter `c` was ever seen; else, and for everything older, the session is ended.
/// Whenever the session is not ended, it counts as seen `now` and slides. It is idle for too long only if `seen_at` is long
/// past as well. A counter that has no successor is of no session.
///
/// Applications that verify access tokens offline show none here. A predecessor that comes back after the grace is then
/// taken for a lost answer, once or twice in a row. In the third generation in a row it ends the session too, because two
/// holders of one token repeat it in every generation.
///
/// Sliding moves the end to [`Slide::to`] if it is at [`Slide::due`] or before, and to the absolute end as soon as that is no
/// later than `to`. A rotation that moves the end later is not in the change log.
///
/// An attempt made before the last rotation is no theft: it is the same client's, held up on its way, and answers
/// [`Refreshing::NotActive`] without ending anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshing {
    /// The token was current; the session's counter is now one more than the one presented.
    Rotated(Box<Session>),
    /// The token is the predecessor of the current one, presented again within the grace: two tabs, or a retry.
    Concurrent(Box<Session>),
    /// The token is the predecessor of the current one, and nothing that came with the current one was ever used: the
    /// answer was lost.
    NotSaved(Box<Session>),
    /// The token was spent before, or two holders present each other's. The session has been ended with
    /// [`EndReason::ReuseDetected`](crate::model::EndReason::ReuseDetected).
    Reused(Box<Session>),
    /// There is no such session, or it is not active.
    NotActive,
}

/// The rotation of refresh tokens.
#[async_trait]
pub trait RefreshStore: Send + Sync {
    /// Rotates a refresh token, or tells why not, in one compare-and-set: by the rules of [`Refreshing`].
    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing>;
}
