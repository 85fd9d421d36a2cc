//! Refreshes.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::Result;
use crate::model::{Session, SessionId, Slide};

/// A request to exchange a refresh token for its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshAttempt {
    /// The session.
    pub id: SessionId,
    /// The counter in the token presented.
    pub presented: u32,
    /// The highest counter that this process has seen in an access token and not yet written.
    pub seen_counter: u32,
    /// The last use of the session that this process has seen, if not yet written.
    pub seen_at: Option<DateTime<Utc>>,
    /// The time of the request.
    pub now: DateTime<Utc>,
    /// The time after a rotation in which the predecessor is answered again, whatever happened since.
    pub grace: TimeDelta,
    /// The move of the end; `None` keeps the end.
    pub slide: Option<Slide>,
}

/// The outcome of a refresh.
///
/// With `c` the session's counter and `p` the one presented, for an active session:
/// `p >= c` rotates to `p + 1` (`p > c` happens when a database was restored from a backup: the token is genuine, so nobody
/// is logged out). `p + 1 = c` is the predecessor: it gets the session as it is when the last rotation is younger than the
/// grace, or when no access token of counter `c` was ever seen; else, and for everything older, the session is ended.
/// Whenever the session is not ended, it counts as seen `now` and slides. It is idle for too long only if `seen_at` is long
/// past as well. A counter without a successor belongs to no session.
///
/// Applications that check access tokens locally never present one here. A predecessor that comes back after the grace
/// then counts as a lost answer, twice in a row at most. In the third generation in a row the session is ended, because
/// two holders of one token repeat it in every generation.
///
/// Sliding moves the end to [`Slide::to`] if it is at [`Slide::due`] or before, and to the absolute end as soon as that is no
/// later than `to`. A rotation that moves the end later is not in the change log.
///
/// A token with a lower counter than the session's least one is from before a new authentication. It answers
/// [`Refreshing::NotActive`] and ends nothing, because a client may have sent it before it got the new tokens.
///
/// An attempt made before the last rotation is no theft: it is a delayed request of the same client, and answers
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
    /// There is no such session, it is not active, or the token is from before the last authentication in it.
    NotActive,
}

/// Refreshes of sessions.
#[async_trait]
pub trait RefreshStore: Send + Sync {
    /// Rotates a refresh token by the rules of [`Refreshing`], in one compare-and-set.
    async fn refresh_session(&self, attempt: RefreshAttempt) -> Result<Refreshing>;
}
