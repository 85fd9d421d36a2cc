//! A new pair of tokens for a refresh token, without logging anybody out by accident.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::field::display;

use super::{EndReason, Error, GrantRefusal, IssuedTokens, Session, SessionId, Sessions, TokenChoice};
use crate::metrics;
use crate::store::{RefreshAttempt, Refreshing};
use crate::tokens::RefreshToken;
use crate::users::UserId;

/// A session whose tokens were refreshed.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The session as it stands now.
    pub session: Session,
    /// Its new pair.
    pub tokens: IssuedTokens,
}

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

/// What came of a refresh: one word for the operator, who is told more than the client.
///
/// A refresh that the store did not answer has none, because nobody knows whether it rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// The token was current: a new pair.
    Rotated,
    /// The successor again, within the grace: two tabs, or a retry.
    Concurrent,
    /// The successor again, after the grace: nothing that came with it was ever used here, so the answer was lost, or two
    /// holders of one token present it in turn. Frequent ones deserve an alarm.
    NotSaved,
    /// Refused: the token was spent before. Its session has been ended.
    Reuse,
    /// Refused: its session does not exist or does not stand any more.
    NotActive,
    /// Refused: no refresh token of ours.
    InvalidToken,
}

impl RefreshOutcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Concurrent => "concurrent",
            Self::NotSaved => "not_saved",
            Self::Reuse => "reuse",
            Self::NotActive => "not_active",
            Self::InvalidToken => "invalid_token",
        }
    }

    /// Makes it known, once for each refresh: the one line in the log, and the count.
    fn record(self, session: Option<SessionId>, user: Option<&UserId>) {
        metrics::refreshed(self.as_str());
        let (outcome, session, user) = (self.as_str(), session.map(display), user.map(UserId::as_str));
        if self == Self::Reuse {
            tracing::warn!(outcome, session, user, "refresh");
        } else {
            tracing::info!(outcome, session, user, "refresh");
        }
    }
}

impl Sessions {
    /// Takes a refresh token and gives a new pair, in one statement.
    ///
    /// The same token presented again, because the answer was lost or because two tabs refresh at once, gets the same
    /// successor. A token spent before ends its session, because one of its two holders is a thief; the client is told
    /// nothing but [`Error::InvalidGrant`].
    pub async fn refresh(&self, token: &str) -> Result<Refreshed, Error> {
        let refreshed = self.refresh_answered(token).await;
        if matches!(&refreshed, Err(error) if !matches!(error, Error::InvalidGrant(_))) {
            metrics::refreshed("failed");
        }
        refreshed
    }

    async fn refresh_answered(&self, token: &str) -> Result<Refreshed, Error> {
        let derived = RefreshToken::verify(&self.parts.keyring, token).map_err(|refusal| {
            RefreshOutcome::InvalidToken.record(None, None);
            GrantRefusal::Token(refusal)
        })?;
        let now = self.now();
        let policy = self.policy();
        let seen = self.activity.seen(derived.session_id);
        let attempt = RefreshAttempt {
            id: derived.session_id,
            presented: derived.number,
            seen_counter: seen.map_or(0, |touch| touch.counter),
            seen_at: seen.map(|touch| touch.seen_at),
            now,
            grace: policy.refresh_grace,
            slide: policy.sliding.map(|by| Slide::by(by, now)),
        };
        let (outcome, session) = match self.store().refresh_session(attempt).await? {
            Refreshing::Rotated(session) => (RefreshOutcome::Rotated, session),
            Refreshing::Concurrent(session) => (RefreshOutcome::Concurrent, session),
            Refreshing::NotSaved(session) => (RefreshOutcome::NotSaved, session),
            Refreshing::Reused(session) => (RefreshOutcome::Reuse, session),
            Refreshing::NotActive => {
                RefreshOutcome::NotActive.record(Some(derived.session_id), None);
                return Err(GrantRefusal::NotActive.into());
            }
        };
        outcome.record(Some(session.id), Some(&session.user_id));
        if outcome == RefreshOutcome::Reuse {
            self.ended(&session.user_id, &[session.id], EndReason::ReuseDetected);
            return Err(GrantRefusal::Reuse.into());
        }
        let tokens = self.issue(&session, TokenChoice::AccessAndRefresh, now)?;
        Ok(Refreshed { session: *session, tokens })
    }
}
