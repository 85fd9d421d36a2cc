//! A new pair of tokens for a refresh token, without logging anybody out by accident.

use std::net::IpAddr;

use super::activity::Origin;
use super::error::{Error, GrantRefusal};
use super::facade::Sessions;
use super::log_subject::{note_outcome, note_subject};
use super::open::{IssuedTokens, TokenChoice};
use crate::metrics::{self, RefreshOutcome};
use crate::model::{EndReason, Opener, Scope, Session, SessionId, Slide, UserId};
use crate::store::{RefreshAttempt, Refreshing};
use crate::tokens::RefreshToken;

/// A refresh token, and what its client says of itself (RFC 6749 section 6).
#[derive(Debug, Clone, Copy)]
pub struct RefreshRequest<'a> {
    /// The token.
    pub token: &'a str,
    /// The client; `None`: it does not say.
    pub client_id: Option<&'a str>,
    /// The words that it wants to keep; `None`: all.
    pub scope: Option<&'a str>,
    /// The user's address, where the request comes from the user's own client.
    pub from: Option<IpAddr>,
}

/// A session whose tokens were refreshed.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The session as it stands now.
    pub session: Session,
    /// The new pair.
    pub tokens: IssuedTokens,
}

/// Makes an outcome known, once for each refresh: in the line of the request, and in the count.
fn record(outcome: RefreshOutcome, session: Option<SessionId>, user: Option<&UserId>) {
    metrics::refreshed(outcome);
    if let Some(session) = session {
        note_subject(session, user);
    }
    note_outcome(outcome.as_str());
}

impl Sessions {
    /// Takes a refresh token and gives a new pair, in one statement.
    ///
    /// The same token presented again, because the answer was lost or because two tabs refresh at once, gets the same
    /// successor. A token spent before ends its session, because one of its two holders is a thief; the client is told
    /// nothing but [`Error::InvalidGrant`].
    ///
    /// A client that says who it is must be the session's, where that names one, and may ask for no wider scope; what
    /// it is refused for leaves the token unspent. A narrower scope is not given: the answer tells which one is.
    pub async fn refresh(&self, request: RefreshRequest<'_>) -> Result<Refreshed, Error> {
        let refreshed = self.refresh_answered(request).await;
        if matches!(&refreshed, Err(error) if !matches!(error, Error::InvalidGrant(_))) {
            record(RefreshOutcome::Failed, None, None);
        }
        refreshed
    }

    async fn refresh_answered(&self, request: RefreshRequest<'_>) -> Result<Refreshed, Error> {
        let derived = RefreshToken::verify(&self.parts.keyring, request.token).map_err(|refusal| {
            record(RefreshOutcome::InvalidToken, None, None);
            GrantRefusal::Token(refusal)
        })?;
        self.check_client(derived.session_id, request).await?;
        let now = self.now();
        let policy = self.policy();
        let seen = self.activity.seen(derived.session_id);
        let attempt = RefreshAttempt {
            id: derived.session_id,
            presented: derived.number,
            seen_counter: seen.map_or(0, |used| used.counter),
            seen_at: seen.map(|used| used.seen_at),
            now,
            grace: policy.refresh_grace,
            slide: policy.sliding.map(|by| Slide::by(by, now)),
        };
        let (outcome, mut session) = match self.store().refresh_session(attempt).await? {
            Refreshing::Rotated(session) => (RefreshOutcome::Rotated, session),
            Refreshing::Concurrent(session) => (RefreshOutcome::Concurrent, session),
            Refreshing::NotSaved(session) => (RefreshOutcome::NotSaved, session),
            Refreshing::Reused(session) => (RefreshOutcome::Reuse, session),
            Refreshing::NotActive => {
                record(RefreshOutcome::NotActive, Some(derived.session_id), None);
                return Err(GrantRefusal::NotActive.into());
            }
        };
        record(outcome, Some(session.id), Some(&session.user_id));
        if outcome == RefreshOutcome::Reuse {
            let by = Opener::Session(session.id);
            self.ended(&session.user_id, &[session.id], EndReason::ReuseDetected, by);
            return Err(GrantRefusal::Reuse.into());
        }
        // The refresh itself has written the time of this use.
        if let origin @ Origin::New(_) = self.origin_of(&session, request.from) {
            self.activity.note(&mut session, 0, origin, now);
        }
        let tokens = self.issue(&session, TokenChoice::AccessAndRefresh, now)?;
        Ok(Refreshed { session: *session, tokens })
    }

    /// Refuses a client that is not the session's, or wants more than that. Whether there is such a session, the
    /// refresh tells.
    async fn check_client(&self, id: SessionId, request: RefreshRequest<'_>) -> Result<(), Error> {
        let RefreshRequest { token: _, client_id, scope, from: _ } = request;
        if client_id.is_none() && scope.is_none() {
            return Ok(());
        }
        // Neither ever changes, so a copy knows them as well as the store does.
        let session = match self.cache.session(id) {
            Some(copy) => copy.value.session,
            None => match self.session_loader.submit(id).await? {
                Some(signed_in) => signed_in.session,
                None => return Ok(()),
            },
        };
        let refused = |outcome: RefreshOutcome, refusal: GrantRefusal| {
            record(outcome, Some(id), Some(&session.user_id));
            Err(refusal.into())
        };
        if session.client_id.as_deref().zip(client_id).is_some_and(|(own, said)| own != said) {
            return refused(RefreshOutcome::OtherClient, GrantRefusal::OtherClient);
        }
        let is_granted = |scope: &Scope| scope.words().all(|word| session.scope.contains(word));
        if !scope.is_none_or(|scope| Scope::parse(scope).is_ok_and(|scope| is_granted(&scope))) {
            return refused(RefreshOutcome::WiderScope, GrantRefusal::WiderScope);
        }
        Ok(())
    }
}
