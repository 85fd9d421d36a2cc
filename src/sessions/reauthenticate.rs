//! A new authentication in a running session (step-up), and the operations that need a recent one.

use chrono::{DateTime, TimeDelta, Utc};

use super::authentication::{Authentication, AuthenticationDraft, CLOCK_SKEW};
use super::bound::is_of;
use super::cookies::require_cookie;
use super::error::Error;
use super::facade::Sessions;
use super::field_errors::FieldErrors;
use super::log_subject::note_subject;
use super::open::{IdempotencyKey, TokenChoice, fits_a_token, idempotency_of, require_grant};
use super::refresh::Refreshed;
use super::requirements::{Unmet, is_weaker};
use crate::model::{Caller, FieldError, Opener, Owner, Scope, Session, SessionId};
use crate::store::{self, Idempotency, Reauthenticated, Reauthentication};

/// The number of times that an authentication is tried again after another one at the same moment.
const MAX_ATTEMPTS: usize = 5;

impl Sessions {
    /// Records that the user of an active session has authenticated anew, for a caller with `sessions:write`. The session
    /// gets the new class and methods, and new tokens: all earlier ones are refused from then on.
    ///
    /// The caller becomes the session's opener, because the tokens in use are then those that it got.
    ///
    /// The caller is believed as at an opening (see [`Sessions::open`]), and gets tokens of the session, so it needs the same
    /// rights. `server_cookie` is the name of the server's own cookie. The new class must not be weaker than the session's, or a password alone would renew a level that took more.
    /// The limits of the class count from the authentication, and never move an end later. Refused:
    /// [`Error::SessionNotFound`], [`Error::SessionNotActive`], [`Error::Forbidden`], [`Error::BoundKey`],
    /// [`Error::Invalid`] and [`Error::IdempotencyKeyReused`].
    pub async fn reauthenticate(
        &self,
        caller: &Caller,
        id: SessionId,
        draft: AuthenticationDraft,
        choice: TokenChoice,
        server_cookie: Option<&str>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Refreshed, Error> {
        let bound = caller.require_of_bound(Scope::WRITE)?;
        self.require_recent(caller.session())?;
        let now = self.now();
        let mut errors = FieldErrors::default();
        let checked = draft.check(self.policy().lifetime, now, &mut errors);
        let Some(authentication) = checked else { return Err(errors.into()) };
        let idempotency = idempotency.map(|idempotency| idempotency_of(caller, idempotency, now));
        for _ in 0..MAX_ATTEMPTS {
            let found = self.store().session(id, Owner::Anyone).await?;
            let found = found.filter(|session| bound.is_none_or(|application| is_of(session, application)));
            // The console has its own sign-in, and its sessions have no tokens but the one in its cookie.
            let found = found.filter(|session| !session.is_of_console());
            let mut session = found.ok_or(Error::SessionNotFound)?;
            self.activity.overlay(&mut session);
            require_grant(caller, &session.scope, &self.parts.rights)?;
            if choice == TokenChoice::Cookie {
                require_cookie(self.application_of(&session).as_deref(), server_cookie)?;
            }
            if !session.is_active(now) {
                return Err(Error::SessionNotActive);
            }
            let request = self.request(&session, &authentication, caller.opener(), idempotency.clone(), now)?;
            let written = self.store().reauthenticate_session(&request).await;
            // Tokens that the copy accepts may be refused although the answer was lost.
            let session = match written.inspect_err(|_| self.cache.forget(id))? {
                Reauthenticated::Now(session) => {
                    self.changed(&session.user_id);
                    let (user, acr, by) = (session.user_id.as_str(), session.acr.as_deref(), caller.credential());
                    tracing::info!(session = %id, user, acr, %by, "session authenticated anew");
                    session
                }
                Reauthenticated::Repeated(mut session) => {
                    self.activity.overlay(&mut session);
                    if !session.is_active(now) {
                        return Err(Error::SessionNotActive);
                    }
                    session
                }
                Reauthenticated::KeyReused => return Err(Error::IdempotencyKeyReused),
                // The session has ended meanwhile, or another authentication came first.
                Reauthenticated::NotWritten => continue,
            };
            note_subject(session.id, Some(&session.user_id));
            let tokens = self.issue(&session, choice, now)?;
            return Ok(Refreshed { session: *session, tokens });
        }
        Err(store::Error::unavailable("the session was authenticated by others each time").into())
    }

    fn request(
        &self,
        session: &Session,
        authentication: &Authentication,
        opener: Opener,
        idempotency: Option<Idempotency>,
        now: DateTime<Utc>,
    ) -> Result<Reauthentication, FieldError> {
        let Authentication { acr, amr, at, limits } = authentication.clone();
        if is_weaker(acr.as_deref(), session.acr.as_deref()) {
            let message = format!("must not be weaker than {}", session.acr.as_deref().unwrap_or_default());
            return Err(FieldError::new("acr", message));
        }
        if at + CLOCK_SKEW < session.authenticated_at {
            return Err(FieldError::new("auth_time", "must not be before the session's"));
        }
        // Within the clock skew the session's time is later, and stays.
        let later = (session.authenticated_at - at).max(TimeDelta::zero());
        fits_a_token(&Session { acr: acr.clone(), amr: amr.clone(), ..session.clone() })?;
        Ok(Reauthentication {
            id: session.id,
            user: session.user_id.clone(),
            seen_least_counter: session.least_counter,
            seen_at: self.activity.seen(session.id).map(|touch| touch.seen_at),
            acr,
            amr,
            authenticated_at: at,
            ends_at: now + limits.absolute + later,
            idle_timeout: limits.idle,
            opened_by: opener,
            idempotency,
            now,
        })
    }

    /// Refuses a user who authenticated longer ago than policy allows.
    ///
    /// The rule for what a stolen session must not do: ending any session but its own, changing users, service keys, signing
    /// keys and applications, and telling of authentications, by which it would make itself recent. Services authenticate
    /// with each request.
    ///
    /// `caller`: the session that the caller came with; `None` for a service.
    pub(super) fn require_recent(&self, caller: Option<&Session>) -> Result<(), Error> {
        match (caller, self.policy().reauth_within) {
            (Some(session), Some(within)) => self.require_within(session, within),
            _ => Ok(()),
        }
    }

    /// Refuses a session whose user authenticated longer ago than `within`.
    pub(super) fn require_within(&self, session: &Session, within: TimeDelta) -> Result<(), Error> {
        if self.now() - session.authenticated_at <= within {
            return Ok(());
        }
        Err(Unmet::SignIn { acr: String::new(), max_age: Some(within.num_seconds()) }.into())
    }

    /// Refuses as [`Sessions::require_recent`] does, unless the session to be ended is the caller's own: signing out always
    /// works.
    pub(super) fn require_recent_to_end(&self, caller: Option<&Session>, id: SessionId) -> Result<(), Error> {
        if caller.is_some_and(|session| session.id == id) { Ok(()) } else { self.require_recent(caller) }
    }
}
