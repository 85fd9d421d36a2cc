//! A new pair of tokens for a refresh token, without logging anybody out by accident.

use super::ending::log_ended;
use super::{EndReason, Error, GrantRefusal, IssuedTokens, Session, Sessions, TokenChoice};
use crate::metrics;
use crate::store::{RefreshAttempt, Refreshing};
use crate::tokens::RefreshToken;

/// A session whose tokens were refreshed.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The session as it stands now.
    pub session: Session,
    /// Its new pair.
    pub tokens: IssuedTokens,
}

impl Sessions {
    /// Takes a refresh token and gives a new pair, in one statement.
    ///
    /// The same token presented again, because the answer was lost or because two tabs refresh at once, gets the same
    /// successor. A token spent before ends its session, because one of its two holders is a thief; the client is told
    /// nothing but [`Error::InvalidGrant`].
    pub async fn refresh(&self, token: &str) -> Result<Refreshed, Error> {
        let refreshed = self.refresh_uncounted(token).await;
        match &refreshed {
            Ok((_, outcome)) => metrics::refreshed(outcome),
            Err(Error::InvalidGrant(refusal)) => metrics::refreshed(refusal.as_str()),
            Err(_) => metrics::refreshed("failed"),
        }
        refreshed.map(|(refreshed, _)| refreshed)
    }

    async fn refresh_uncounted(&self, token: &str) -> Result<(Refreshed, &'static str), Error> {
        let derived = RefreshToken::verify(&self.parts.keyring, token).map_err(GrantRefusal::Token)?;
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
            slide_to: policy.sliding.map(|by| now + by),
        };
        let (session, kind) = match self.store().refresh_session(attempt).await? {
            Refreshing::Rotated(session) => (session, "rotated"),
            Refreshing::Concurrent(session) => (session, "concurrent"),
            Refreshing::NotSaved(session) => (session, "not_saved"),
            Refreshing::Reused(session) => {
                tracing::warn!(session = %session.id, user = %session.user_id, "spent refresh token presented again");
                log_ended(&session.user_id, &[session.id], EndReason::ReuseDetected);
                return Err(GrantRefusal::Reuse.into());
            }
            Refreshing::NotActive => return Err(GrantRefusal::NotActive.into()),
        };
        tracing::info!(session = %session.id, user = %session.user_id, kind, "session refreshed");
        let tokens = self.issue(&session, TokenChoice::AccessAndRefresh, now)?;
        Ok((Refreshed { session: *session, tokens }, kind))
    }
}
