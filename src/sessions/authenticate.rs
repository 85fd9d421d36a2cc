//! Authentication of credentials, and introspection of tokens.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::activity::{Activity, Origin, Use};
use super::bound::is_of;
use super::credential::{Cookie, Credential};
use super::error::{Error, Refusal};
use super::facade::Sessions;
use super::freshness::{Freshness, PATIENCE};
use crate::metrics::{self, AnsweredFrom};
use crate::model::{Caller, Scope, Service, ServiceKeyId, Session, SessionId, SessionStatus, SignedIn, State};
use crate::store;
use crate::tokens::{AccessClaims, Form, RefreshToken, ServiceKey, SessionToken, StoredServiceKey, TokenError};

/// The kind of a token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A JWT.
    Access,
    /// An opaque token for the whole session.
    Session,
    /// An opaque token that gives a new pair.
    Refresh,
}

/// The introspection of a valid token (RFC 7662 section 2.2).
#[derive(Debug, Clone)]
pub struct Introspection {
    /// The session and its user.
    pub signed_in: SignedIn,
    /// The token's kind.
    pub kind: TokenKind,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// The instant of expiry, unless the session is extended.
    pub expires_at: DateTime<Utc>,
}

/// The moment in its session that a token was issued at. After a new authentication, tokens from before it are refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issue {
    /// The counter in the token. A restored backup of the database may be behind it.
    counter: u32,
    /// The authentication before it, as an access token tells it: in whole seconds. `None` for a session token, whose counter
    /// is that of the authentication before it.
    authenticated_at: Option<DateTime<Utc>>,
}

impl Issue {
    /// The issue of a session's present tokens.
    pub(super) fn present(session: &Session) -> Self {
        Self { counter: session.least_counter, authenticated_at: None }
    }

    /// Whether a copy of the session is from before an authentication that the token proves.
    fn is_newer_than(self, copy: &Session) -> bool {
        match self.authenticated_at {
            Some(at) => at > copy.authenticated_at,
            None => self.counter > copy.least_counter,
        }
    }
}

/// Whether a check counts as a use of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// A use, from the user's address where that is known.
    Use {
        from: Option<IpAddr>,
    },
    None,
}

impl Sessions {
    /// The caller who has these credentials: a user's access or session token of an active session, or a service's key.
    /// The answer is as fresh as asked or as policy has it, whichever is stricter. A credential costs at most one look-up,
    /// and none when it is no token of ours.
    ///
    /// Usually there is one credential. Of several, such as cookies of one name, invalid ones are passed over, and the others
    /// must be one user's: the first is the caller, and only its session counts as used: at the address `from`, which is
    /// the user's or `None`.
    pub async fn authenticate(
        &self,
        credentials: &[Credential],
        freshness: Option<Freshness>,
        from: Option<IpAddr>,
    ) -> Result<Caller, Error> {
        self.identify_one_of(credentials, freshness, Counting::Use { from }).await
    }

    /// As [`Sessions::authenticate`], for watchers: no use of the session.
    pub async fn authenticate_watcher(&self, credentials: &[Credential]) -> Result<Caller, Error> {
        self.identify_one_of(credentials, None, Counting::None).await
    }

    async fn identify_one_of(
        &self,
        credentials: &[Credential],
        freshness: Option<Freshness>,
        counting: Counting,
    ) -> Result<Caller, Error> {
        if let [only] = credentials {
            return self.identify(only, freshness, counting).await;
        }
        let (mut caller, mut refused) = (None, None);
        for credential in credentials {
            let counting = if caller.is_some() { Counting::None } else { counting };
            match (self.identify(credential, freshness, counting).await, &caller) {
                (Ok(first), None) => caller = Some(first),
                (Ok(Caller::User(next)), Some(Caller::User(first)))
                    if next.session.user_id == first.session.user_id => {}
                (Ok(_), Some(_)) => return Err(Refusal::Several.into()),
                (Err(Error::Unauthenticated(refusal)), _) => refused = refused.or(Some(refusal)),
                (Err(error), _) => return Err(error),
            }
        }
        caller.ok_or_else(|| refused.unwrap_or(Refusal::Missing).into())
    }

    /// The service whose key is this `client_secret` (RFC 6749 section 2.3.1). A user's token authenticates no client,
    /// and is not looked up.
    pub async fn authenticate_client(&self, secret: &str) -> Result<Caller, Error> {
        if !self.is_bootstrap_key(secret) && Form::of(secret) != Form::ServiceKey {
            return Err(Error::InvalidClient(Refusal::Token(TokenError::WrongType)));
        }
        self.identify(&Credential::in_header(secret), None, Counting::None).await.map_err(|error| match error {
            Error::Unauthenticated(refusal) => Error::InvalidClient(refusal),
            error => error,
        })
    }

    /// Whether a text is the bootstrap key.
    pub fn is_bootstrap_key(&self, text: &str) -> bool {
        self.parts.bootstrap_key.as_ref().is_some_and(|key| key.matches(text))
    }

    async fn identify(
        &self,
        credential: &Credential,
        freshness: Option<Freshness>,
        counting: Counting,
    ) -> Result<Caller, Error> {
        let Credential { text, cookie } = credential;
        let freshness = self.policy().freshness.stricter(freshness);
        if let Some(key) = &self.parts.bootstrap_key
            && key.matches(text)
        {
            if !key.is_active(self.now()) {
                return Err(Refusal::ServiceKey.into());
            }
            return Ok(Caller::Service(Service::bootstrap()));
        }
        match Form::of(text) {
            Form::ServiceKey => self.authenticate_service(text, freshness).await,
            Form::AccessToken | Form::SessionToken | Form::RefreshToken => {
                let now = self.now();
                let (signed_in, _) = self.standing(text, cookie.as_ref(), freshness, counting, now).await?;
                Ok(Caller::User(Box::new(signed_in)))
            }
        }
    }

    /// The introspection of a valid token, for a caller with `sessions:read`; `None` for anything else, whatever the reason.
    /// The answer is as fresh as asked or as policy has it, whichever is stricter; a refresh token is always read from the
    /// store. An access or session token counts as used.
    pub async fn introspect(
        &self,
        caller: &Caller,
        token: &str,
        freshness: Option<Freshness>,
    ) -> Result<Option<Introspection>, Error> {
        let application = caller.require_of_bound(Scope::READ)?;
        let freshness = self.policy().freshness.stricter(freshness);
        let now = self.now();
        let found = match Form::of(token) {
            Form::ServiceKey => return Ok(None),
            Form::RefreshToken => self.standing_refresh(token, now).await,
            Form::AccessToken | Form::SessionToken => self
                .standing(token, None, freshness, Counting::Use { from: None }, now)
                .await
                .map(|(signed_in, claims)| {
                    let expires_at = claims.as_ref().map_or(signed_in.session.expires_at, |claims| claims.expires_at);
                    let issued_at = claims.as_ref().map_or(signed_in.session.created_at, |claims| claims.issued_at);
                    let kind = if claims.is_some() { TokenKind::Access } else { TokenKind::Session };
                    Introspection { signed_in, kind, issued_at, expires_at }
                }),
        };
        match found {
            Ok(found) => {
                Ok(Some(found).filter(|found| application.is_none_or(|id| is_of(&found.signed_in.session, id))))
            }
            Err(Error::Unauthenticated(refusal)) => {
                tracing::debug!(%refusal, "the token is not valid");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The active session behind an access or session token, and the claims of the former. A token that came in a cookie counts
    /// where that cookie may carry it.
    async fn standing(
        &self,
        token: &str,
        cookie: Option<&Cookie>,
        freshness: Freshness,
        counting: Counting,
        now: DateTime<Utc>,
    ) -> Result<(SignedIn, Option<AccessClaims>), Error> {
        let (id, issue, claims) = if Form::of(token) == Form::SessionToken {
            let derived = SessionToken::verify(&self.parts.keyring, token).map_err(Refusal::Token)?;
            (derived.session_id, Issue { counter: derived.number, authenticated_at: None }, None)
        } else {
            let claims = self.access_tokens().verify(token, now).map_err(Refusal::Token)?;
            let authenticated_at = Some(claims.authenticated_at);
            (claims.session_id, Issue { counter: claims.refresh_counter, authenticated_at }, Some(claims))
        };
        let mut signed_in = self.active_session(id, issue, freshness, now).await?;
        if claims.as_ref().is_some_and(|claims| claims.user_id != signed_in.session.user_id) {
            return Err(Refusal::UnknownSession.into());
        }
        self.admit_cookie(&signed_in.session, cookie)?;
        self.admit_console(&signed_in.session).await?;
        match counting {
            Counting::Use { from } => {
                let counter = claims.as_ref().map_or(0, |claims| claims.refresh_counter);
                let is_urgent = Activity::is_urgent(&signed_in.session, now);
                let origin = self.origin_of(&signed_in.session, from);
                self.activity.note(&mut signed_in.session, counter, origin, now);
                if is_urgent {
                    let address = if let Origin::New(address) = origin { Some(address) } else { None };
                    self.write_touches(&[self.touch_of(Use { id, seen_at: now, counter, address })]).await?;
                }
            }
            Counting::None => self.activity.overlay(&mut signed_in.session),
        }
        Ok((signed_in, claims))
    }

    /// An active session that accepts a token of that issue, from the cache or the store. The cache may only say yes: a
    /// refusal is read from the store.
    pub(super) async fn active_session(
        &self,
        id: SessionId,
        issue: Issue,
        freshness: Freshness,
        now: DateTime<Utc>,
    ) -> Result<SignedIn, Error> {
        let copy = self.cache.session(id).filter(|copy| !issue.is_newer_than(&copy.value.session));
        let copy = match freshness {
            Freshness::Strict => match copy {
                Some(copy) if copy.authoritative => return self.still_active(copy.value, issue, now).await,
                _ => None,
            },
            Freshness::Fresh => copy.filter(|copy| self.check_accepted(&copy.value, issue, now).is_ok()),
        };
        let stand_in = match copy {
            Some(copy) if copy.authoritative => {
                metrics::checked(AnsweredFrom::Copy, 1);
                return Ok(copy.value);
            }
            copy => copy.is_some(),
        };
        metrics::checked(AnsweredFrom::Store, 1);
        let read = or_stale(stand_in, self.read_session(id), || self.cache.session(id).map(|copy| copy.value));
        let signed_in = read.await?.ok_or(Refusal::UnknownSession)?;
        self.check_accepted(&signed_in, issue, now)?;
        Ok(signed_in)
    }

    /// A cached session, if its stored status is active. Revocation, expiry and authentication are current; the user's
    /// details and the device name may be as old as the cache entry. A ban shows here because it ends the session's row.
    async fn still_active(&self, copy: SignedIn, issue: Issue, now: DateTime<Utc>) -> Result<SignedIn, Error> {
        metrics::checked(AnsweredFrom::Store, 1);
        let mut signed_in = copy;
        let id = signed_in.session.id;
        let standing = self.status_loader.submit(id).await?.ok_or(Refusal::UnknownSession)?;
        if standing.least_counter == signed_in.session.least_counter {
            let SessionStatus { last_seen_at, expires_at, ended, refresh_counter, confirmed_counter, .. } = standing;
            signed_in.session =
                Session { last_seen_at, expires_at, ended, refresh_counter, confirmed_counter, ..signed_in.session };
        } else {
            signed_in = self.read_session(id).await?.ok_or(Refusal::UnknownSession)?;
        }
        self.check_accepted(&signed_in, issue, now)?;
        Ok(signed_in)
    }

    /// As [`Sessions::check_active`], for a token of that issue.
    fn check_accepted(&self, stored: &SignedIn, issue: Issue, now: DateTime<Utc>) -> Result<(), Refusal> {
        self.check_active(stored, now)?;
        if issue.counter < stored.session.least_counter { Err(TokenError::Superseded.into()) } else { Ok(()) }
    }

    /// A session from the store, which is cached if it is active.
    async fn read_session(&self, id: SessionId) -> Result<Option<SignedIn>, store::Error> {
        let epoch = self.cache.epoch();
        let found = self.session_loader.submit(id).await?;
        if let Some(signed_in) = &found
            && self.check_active(signed_in, self.now()).is_ok()
        {
            self.cache.keep_session(signed_in, epoch);
        }
        Ok(found)
    }

    pub(super) fn check_active(&self, stored: &SignedIn, now: DateTime<Utc>) -> Result<(), Refusal> {
        // A ban ends all sessions; one that escaped it because of clock skew is refused here.
        if stored.user.banned_at.is_some() {
            return Err(Refusal::Banned(stored.user.id.clone()));
        }
        let mut state = stored.session.state(now);
        // An unwritten use matters to the idle timeout alone.
        if state == State::IdleExpired {
            let seen_at = self.activity.seen(stored.session.id).map(|used| used.seen_at);
            state = stored.session.state_as_seen(seen_at, now);
        }
        match state {
            State::Active => Ok(()),
            state => Err(Refusal::NotActive(state)),
        }
    }

    async fn standing_refresh(&self, token: &str, now: DateTime<Utc>) -> Result<Introspection, Error> {
        let derived = RefreshToken::verify(&self.parts.keyring, token).map_err(Refusal::Token)?;
        let mut signed_in = self.session_loader.submit(derived.session_id).await?.ok_or(Refusal::UnknownSession)?;
        self.check_active(&signed_in, now)?;
        self.activity.overlay(&mut signed_in.session);
        if derived.number != signed_in.session.refresh_counter {
            return Err(Refusal::Token(TokenError::Expired).into());
        }
        let (issued_at, expires_at) = (signed_in.session.created_at, signed_in.session.expires_at);
        Ok(Introspection { signed_in, kind: TokenKind::Refresh, issued_at, expires_at })
    }

    async fn authenticate_service(&self, credential: &str, freshness: Freshness) -> Result<Caller, Error> {
        let presented = ServiceKey::parse(credential).map_err(Refusal::Token)?;
        if !self.known_keys.contain_or_read(presented.id, async || self.store().service_keys().await).await? {
            return Err(Refusal::ServiceKey.into());
        }
        let stored = self.service_key(presented.id, freshness).await?.ok_or(Refusal::ServiceKey)?;
        if !presented.matches(&stored) || !stored.is_active(self.now()) {
            return Err(Refusal::ServiceKey.into());
        }
        let (name, scope, application) = (stored.name.clone(), stored.scope.clone(), stored.application.clone());
        Ok(Caller::Service(Service { id: stored.id.to_string(), name, scope, application }))
    }

    pub(super) async fn service_key(
        &self,
        id: ServiceKeyId,
        freshness: Freshness,
    ) -> Result<Option<Arc<StoredServiceKey>>, Error> {
        let copy = if freshness == Freshness::Fresh { self.cache.key(id) } else { None };
        let stand_in = match copy {
            Some(copy) if copy.authoritative => return Ok(Some(copy.value)),
            copy => copy.is_some(),
        };
        let read = async {
            let epoch = self.cache.epoch();
            let stored = self.store().service_key(id).await?.map(Arc::new);
            if let Some(key) = stored.as_ref().filter(|key| key.is_active(self.now())) {
                self.cache.keep_key(Arc::clone(key), epoch);
            }
            Ok(stored)
        };
        Ok(or_stale(stand_in, read, || self.cache.key(id).map(|copy| copy.value)).await?)
    }
}

/// The store's answer, or a stale entry where the store does not answer soon (stale-if-error, RFC 5861).
async fn or_stale<T>(
    stand_in: bool,
    read: impl Future<Output = Result<Option<T>, store::Error>>,
    copy: impl FnOnce() -> Option<T>,
) -> Result<Option<T>, store::Error> {
    if !stand_in {
        return read.await;
    }
    let answer = tokio::time::timeout(PATIENCE, read).await;
    let failure = match answer {
        Ok(Err(error @ store::Error::Unavailable(_))) => error,
        Ok(answer) => return answer,
        Err(_) => store::Error::unavailable("no answer in time"),
    };
    // A second look, because the entry may have become too old meanwhile.
    copy().map(Some).ok_or(failure)
}
