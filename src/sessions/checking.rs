//! Telling who a credential belongs to, and whether a token still stands.

use chrono::{DateTime, Utc};

use super::{Activity, Caller, Error, Refusal, Scope, Service, Sessions, SignedIn, State, Touch};
use crate::tokens::{AccessClaims, Form, RefreshToken, ServiceKey, SessionToken, bootstrap_key_matches};

/// The kind of a token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A JWT.
    Access,
    /// One bearer for the whole stay.
    Session,
    /// Good for a new pair only.
    Refresh,
}

/// What a token that stands says (RFC 7662 section 2.2).
#[derive(Debug, Clone)]
pub struct Introspection {
    /// Its session and user.
    pub signed_in: SignedIn,
    /// Its kind.
    pub kind: TokenKind,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// When it dies if nothing happens.
    pub expires_at: DateTime<Utc>,
}

impl Sessions {
    /// Whose credential this is: a user's access or session token whose session stands, or a service's key.
    /// One look-up at most; none for what is no token of ours. Counts as a use of the session.
    pub async fn authenticate(&self, credential: &str) -> Result<Caller, Error> {
        if self.parts.bootstrap_key.as_ref().is_some_and(|key| bootstrap_key_matches(credential, key)) {
            let name = "bootstrap".to_owned();
            return Ok(Caller::Service(Service { id: name.clone(), name, scope: Scope::everything() }));
        }
        match Form::of(credential) {
            Form::ServiceKey => self.authenticate_service(credential).await,
            Form::AccessToken | Form::SessionToken | Form::RefreshToken => {
                let now = self.now();
                let (signed_in, _) = self.standing(credential, now).await?;
                Ok(Caller::User(Box::new(signed_in)))
            }
        }
    }

    /// What a token says if it stands, for a caller with `sessions:read`; `None` for everything else, whatever the
    /// reason. An access or session token counts as used by it.
    pub async fn introspect(&self, caller: &Caller, token: &str) -> Result<Option<Introspection>, Error> {
        caller.require(Scope::READ)?;
        let now = self.now();
        let found = match Form::of(token) {
            Form::ServiceKey => return Ok(None),
            Form::RefreshToken => self.standing_refresh(token, now).await,
            Form::AccessToken | Form::SessionToken => self.standing(token, now).await.map(|(signed_in, claims)| {
                let expires_at = claims.as_ref().map_or(signed_in.session.expires_at, |claims| claims.expires_at);
                let issued_at = claims.as_ref().map_or(signed_in.session.created_at, |claims| claims.issued_at);
                let kind = if claims.is_some() { TokenKind::Access } else { TokenKind::Session };
                Introspection { signed_in, kind, issued_at, expires_at }
            }),
        };
        match found {
            Ok(introspection) => Ok(Some(introspection)),
            Err(Error::Unauthenticated(refusal)) => {
                tracing::debug!(%refusal, "token does not stand");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The active session behind an access or session token, and the claims of the former.
    async fn standing(&self, token: &str, now: DateTime<Utc>) -> Result<(SignedIn, Option<AccessClaims>), Error> {
        let (id, claims) = if Form::of(token) == Form::SessionToken {
            (SessionToken::verify(&self.parts.keyring, token).map_err(Refusal::Token)?.session_id, None)
        } else {
            let claims = self.access_tokens().verify(token, now).map_err(Refusal::Token)?;
            (claims.session_id, Some(claims))
        };
        let mut signed_in = self.store().session_of_token(id).await?.ok_or(Refusal::UnknownSession)?;
        if claims.as_ref().is_some_and(|claims| claims.user_id != signed_in.session.user_id) {
            return Err(Refusal::UnknownSession.into());
        }
        let stored = signed_in.session.clone();
        self.activity.overlay(&mut signed_in.session);
        active(&signed_in, now)?;
        let counter = claims.as_ref().map_or(0, |claims| claims.refresh_counter);
        self.activity.note(&stored, counter, now);
        if Activity::is_urgent(&stored, now) {
            let touches = [Touch { id: stored.id, seen_at: now, counter }];
            self.store().touch_sessions(&touches).await?;
            self.activity.written(&touches);
        }
        Ok((signed_in, claims))
    }

    async fn standing_refresh(&self, token: &str, now: DateTime<Utc>) -> Result<Introspection, Error> {
        let derived = RefreshToken::verify(&self.parts.keyring, token).map_err(Refusal::Token)?;
        let mut signed_in = self.store().session_of_token(derived.session_id).await?.ok_or(Refusal::UnknownSession)?;
        self.activity.overlay(&mut signed_in.session);
        active(&signed_in, now)?;
        if derived.number != signed_in.session.refresh_counter {
            return Err(Refusal::Token(crate::tokens::TokenError::Expired).into());
        }
        let (issued_at, expires_at) = (signed_in.session.created_at, signed_in.session.expires_at);
        Ok(Introspection { signed_in, kind: TokenKind::Refresh, issued_at, expires_at })
    }

    async fn authenticate_service(&self, credential: &str) -> Result<Caller, Error> {
        let presented = ServiceKey::parse(credential).map_err(Refusal::Token)?;
        let stored = self.store().service_key(presented.id).await?.ok_or(Refusal::ServiceKey)?;
        if !presented.matches(&stored) || !stored.is_active(self.now()) {
            return Err(Refusal::ServiceKey.into());
        }
        Ok(Caller::Service(Service { id: stored.id.to_string(), name: stored.name, scope: stored.scope }))
    }
}

fn active(signed_in: &SignedIn, now: DateTime<Utc>) -> Result<(), Refusal> {
    // A ban ends all sessions; should one have escaped it, for all that clocks of replicas differ, it still does not stand.
    if signed_in.user.banned_at.is_some() {
        return Err(Refusal::Banned);
    }
    match signed_in.session.state(now) {
        State::Active => Ok(()),
        state => Err(Refusal::NotActive(state)),
    }
}
