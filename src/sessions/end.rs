//! The ending of sessions.

use super::error::Error;
use super::facade::Sessions;
use crate::metrics;
use crate::model::{Actor, AuditEntry, EndReason, Ended, Opener, Owner, Scope, SessionId, SignedIn, UserId};
use crate::store::{EndOutcome, EndedAtOnce};
use crate::tokens::{Form, RefreshToken, SessionToken};

impl Sessions {
    /// Ends one session, expired or not: a user's own, or anybody's with `sessions:admin`. A session that has ended is
    /// left as it is, without an error.
    pub async fn end(&self, actor: &Actor, id: SessionId) -> Result<(), Error> {
        let owner = self.reach_session(actor, Scope::ADMIN, id).await?;
        self.require_recent_to_end(actor.session(), id)?;
        let reason = match owner {
            _ if actor.session_id() == Some(id) => EndReason::Logout,
            Owner::User(_) => EndReason::RevokedByUser,
            Owner::Anyone => EndReason::RevokedByAdmin,
        };
        let ended = Ended { at: self.now(), reason };
        let entry = self.entry_of_ending(actor, ended, id)?;
        let outcome = self.store().end_session(id, owner, reason, ended.at, entry.as_ref()).await;
        match outcome.inspect_err(|_| self.cache.forget(id))? {
            Some(EndOutcome::Ended(session)) => {
                self.ended(&session.user_id, &[id], reason, actor.credential());
                Ok(())
            }
            // An earlier attempt of this very call may have ended it, whose answer was lost.
            Some(EndOutcome::AlreadyEnded(session)) => {
                self.changed(&session.user_id);
                Ok(())
            }
            None => Err(Error::SessionNotFound),
        }
    }

    /// Ends one of the user's own active sessions, the current one too; one that is not active is not found.
    pub async fn end_own(&self, user: &SignedIn, id: SessionId) -> Result<(), Error> {
        self.require_recent_to_end(Some(&user.session), id)?;
        let reason = if id == user.session.id { EndReason::Logout } else { EndReason::RevokedByUser };
        let user_id = &user.session.user_id;
        let ended = self.store().end_active_session(id, user_id, reason, self.now(), None).await;
        if !ended.inspect_err(|_| self.cache.forget(id))? {
            return Err(Error::SessionNotFound);
        }
        self.ended(user_id, &[id], reason, user.credential());
        Ok(())
    }

    /// Ends all active sessions of the user, the current one only unless `keep_current`. Answers how many.
    pub async fn end_all_own(&self, user: &SignedIn, keep_current: bool) -> Result<usize, Error> {
        self.require_recent(Some(&user.session))?;
        let keep = keep_current.then_some(user.session.id);
        let ended = Ended { at: self.now(), reason: EndReason::RevokedByUser };
        self.end_all(&user.session.user_id, keep, ended, user.credential(), None).await
    }

    /// Ends all active sessions of a user, for a caller with `sessions:admin`. Answers how many.
    pub async fn end_all_of(&self, actor: &Actor, user: &UserId) -> Result<usize, Error> {
        let application = actor.require_of_bound(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        if let Some(application) = application {
            return self.end_all_within(actor, user, application).await;
        }
        self.end_all_by_staff(actor, user).await
    }

    pub(super) async fn end_all_by_staff(&self, actor: &Actor, user: &UserId) -> Result<usize, Error> {
        let ended = Ended { at: self.now(), reason: EndReason::RevokedByAdmin };
        let entry = self.entry_of_endings(actor, ended, user, None)?;
        self.end_all(user, None, ended, actor.credential(), entry.as_ref()).await
    }

    pub(super) async fn end_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        ended: Ended,
        by: Opener,
        entry: Option<&AuditEntry>,
    ) -> Result<usize, Error> {
        let outcome = self.store().end_sessions_of(user, keep, ended.reason, ended.at, entry).await;
        let outcome = outcome.inspect_err(|_| self.cache.user_changed(user))?;
        self.all_ended((user, keep), outcome, ended, by, entry).await
    }

    /// As [`Sessions::ended`], after all of a user's sessions but one were to be; where they were too many, one row ends them.
    /// Answers how many. `entry`: what that row adds to the audit trail, unless the first statement has added its own.
    pub(super) async fn all_ended(
        &self,
        (user, keep): (&UserId, Option<SessionId>),
        outcome: EndedAtOnce,
        ended: Ended,
        by: Opener,
        entry: Option<&AuditEntry>,
    ) -> Result<usize, Error> {
        match outcome {
            EndedAtOnce::Ended(ids) => {
                self.ended(user, &ids, ended.reason, by);
                Ok(ids.len())
            }
            EndedAtOnce::TooMany => self.end_in_bulk_of(user, keep, ended, by, entry).await,
        }
    }

    /// Ends the session that a token belongs to (RFC 7009): the holder of a token may always give it back, an expired
    /// access token, a spent refresh token and one from before a new authentication too. What is no token of ours changes
    /// nothing.
    pub async fn revoke_token(&self, token: &str) -> Result<(), Error> {
        let Some((id, user)) = self.session_of_token(token) else { return Ok(()) };
        let owner = user.as_ref().map_or(Owner::Anyone, Owner::User);
        let outcome = self.store().end_session(id, owner, EndReason::Logout, self.now(), None).await;
        match outcome.inspect_err(|_| self.cache.forget(id))? {
            Some(EndOutcome::Ended(session)) => {
                self.ended(&session.user_id, &[id], EndReason::Logout, Opener::Session(id));
            }
            Some(EndOutcome::AlreadyEnded(session)) => self.changed(&session.user_id),
            None => {}
        }
        Ok(())
    }

    /// The session of a token, valid or not, also of an expired access token or a spent refresh token, and the user where the
    /// token names one. `None` for a text that is no token of ours. Nothing is looked up.
    pub fn session_of_token(&self, token: &str) -> Option<(SessionId, Option<UserId>)> {
        let keyring = &self.parts.keyring;
        let named = match Form::of(token) {
            Form::RefreshToken => RefreshToken::verify(keyring, token).map(|derived| (derived.session_id, None)),
            Form::SessionToken => SessionToken::verify(keyring, token).map(|derived| (derived.session_id, None)),
            Form::ServiceKey => return None,
            Form::AccessToken => {
                let claims = self.access_tokens().verify_owner(token, self.now());
                claims.map(|claims| (claims.session_id, Some(claims.user_id)))
            }
        };
        named.inspect_err(|refusal| tracing::debug!(%refusal, "not a token that this server issued")).ok()
    }

    /// The steps after sessions of a user were ended: cache entries are invalidated, replicas get a notice, metrics and the log
    /// get their share. `by`: the credential that ended them. The caller answers only after this.
    pub(crate) fn ended(&self, user: &UserId, ids: &[SessionId], reason: EndReason, by: Opener) {
        self.changed(user);
        metrics::sessions_ended(ids.len(), reason);
        for session in ids {
            let (user, word) = (user.as_str(), reason.as_str());
            if reason == EndReason::ReuseDetected {
                tracing::warn!(%session, user, reason = word, %by, "session ended");
            } else {
                tracing::info!(%session, user, reason = word, %by, "session ended");
            }
        }
    }

    /// The steps after a user or one of its sessions was changed.
    pub(crate) fn changed(&self, user: &UserId) {
        self.cache.user_changed(user);
        self.signals.written();
    }
}
