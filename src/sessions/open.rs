//! Opening a session.

use chrono::{DateTime, TimeDelta, Utc};

use super::applications::{allow_scope, check_no_console_user, check_not_reserved, lifetime_of};
use super::authentication::{Authentication, AuthenticationDraft};
use super::cookies::require_cookie;
use super::error::Error;
use super::extra_claims::checked_claims;
use super::facade::Sessions;
use super::field_errors::FieldErrors;
use super::log_subject::note_subject;
use super::policy::{AskedClocks, Policy};
use super::rights::Rights;
use crate::clock;
use crate::metrics;
use crate::model::{
    Application, Caller, ClientHints, Device, EndReason, FieldError, MAX_USER_AGENT_CHARS, Metadata, Place, Scope,
    Service, Session, SessionId, SignedIn, UserDetails, UserId, recognise_device, text,
};
use crate::store::{self, Idempotency, NewSession, Opening, Replaced};
use crate::tokens::{self, RefreshToken, Secret, SessionToken};

/// For how long an idempotency key stands for its session.
pub(super) const IDEMPOTENCY_LIFETIME: TimeDelta = TimeDelta::hours(24);
const MAX_NAME_CHARS: usize = 255;
/// The most bytes in all that of these an access token holds.
const MAX_CLAIM_BYTES: usize = 4096;

/// The tokens that the opener wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenChoice {
    /// A short-lived access token and a refresh token.
    #[default]
    AccessAndRefresh,
    /// One session token for the whole stay.
    Session,
    /// The same, to be put into a cookie.
    Cookie,
}

/// The request of an opener, unchecked.
#[derive(Debug, Clone, Default)]
pub struct SessionDraft {
    /// The user of the session.
    pub user_id: String,
    /// The user's name, if told.
    pub user_name: Option<String>,
    /// The user's email address, if told.
    pub user_email: Option<String>,
    /// The application.
    pub client_id: Option<String>,
    /// The user's address.
    pub ip_address: Option<String>,
    /// The user's place; without one it is looked up by the address.
    pub location: Option<String>,
    /// The User-Agent header that the user came with; cut off after [`MAX_USER_AGENT_CHARS`].
    pub user_agent: Option<String>,
    /// The client hints that the user came with.
    pub client_hints: ClientHints,
    /// A name for the device.
    pub device_name: Option<String>,
    /// The scope of the session's tokens.
    pub scope: Option<String>,
    /// The user's authentication.
    pub authentication: AuthenticationDraft,
    /// Seconds to `expires_at`.
    pub expires_in: Option<i64>,
    /// Seconds to `absolute_expires_at`.
    pub absolute_expires_in: Option<i64>,
    /// Seconds it may stay unused.
    pub idle_timeout: Option<i64>,
    /// The opener's own data.
    pub metadata: Option<Metadata>,
    /// The id of the user's session that the new one replaces.
    pub replaces: Option<String>,
    /// Claims for the session's access tokens: the text of a JSON object.
    pub claims: Option<String>,
    /// The tokens that are wanted.
    pub tokens: TokenChoice,
    /// The name of the server's own cookie, for sessions whose application has none; `None`: the server has none.
    pub server_cookie: Option<String>,
}

/// A client's promise that a repeat of its request means the same session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    fingerprint: Vec<u8>,
}

impl IdempotencyKey {
    /// The key (1 to 255 characters) and the request that it came with, byte for byte.
    pub fn new(key: String, request: &[u8]) -> Result<Self, FieldError> {
        let key = text::required("Idempotency-Key", key, MAX_NAME_CHARS)?;
        Ok(Self { key, fingerprint: tokens::fingerprint(request) })
    }
}

/// The tokens of a session, shown once.
#[derive(Debug, Clone)]
pub enum IssuedTokens {
    /// A short-lived access token and a refresh token.
    Pair {
        /// The access token.
        access: Secret,
        /// The lifetime of the access token.
        access_lifetime: TimeDelta,
        /// The refresh token.
        refresh: Secret,
    },
    /// One session token.
    Session {
        /// The token.
        token: Secret,
        /// The rest of the session, unless it is extended.
        lifetime: TimeDelta,
    },
}

/// A session that was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The session with its user.
    pub signed_in: SignedIn,
    /// The tokens.
    pub tokens: IssuedTokens,
    /// The sessions that had to make place for it.
    pub evicted: Vec<SessionId>,
}

impl Sessions {
    /// Opens a session for a caller with `sessions:write`.
    ///
    /// The caller is the login service: it is believed who the user is and what the session's scope is, but for rights
    /// here that it has not itself: those take a service key with `sessions:grant`. Refused: [`Error::Forbidden`],
    /// [`Error::Invalid`], [`Error::UserBanned`], [`Error::SessionLimitReached`], [`Error::IdempotencyKeyReused`], and
    /// [`Error::SessionNotActive`] when the key's session is over by now.
    ///
    /// The session that the new one replaces ends in the same transaction. Another user's, or for a bound key another
    /// application's, is refused like one that does not exist; one that has ended is left as it is.
    pub async fn open(
        &self,
        caller: &Caller,
        draft: SessionDraft,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Opened, Error> {
        let bound = caller.require_of_bound(Scope::WRITE)?;
        self.require_recent(caller.session())?;
        let now = self.now();
        let choice = draft.tokens;
        let draft = SessionDraft { client_id: client_within(bound, draft.client_id)?, ..draft };
        check_not_reserved(draft.client_id.as_deref())?;
        check_no_console_user(&draft.user_id)?;
        let replaces = draft.replaces.as_deref().map(|id| to_replace(bound, id)).transpose()?;
        let application = self.application_to_open(draft.client_id.as_deref(), draft.claims.is_some()).await?;
        if choice == TokenChoice::Cookie {
            require_cookie(application.as_deref(), draft.server_cookie.as_deref())?;
        }
        let (session, user) = self.draft_session(caller, draft, application.as_deref(), now)?;
        require_grant(caller, &session.scope, &self.parts.rights)?;
        let new = NewSession {
            session,
            user,
            limit: self.policy().session_limit,
            limit_by_application: bound.is_some(),
            idempotency: idempotency.map(|idempotency| idempotency_of(caller, idempotency, now)),
            replaces,
        };
        let (new, opening) = self.open_drafted(new).await?;
        let opened = match opening {
            Opening::Opened { user, evicted, replaced } => {
                let session = new.session;
                let ended: Vec<SessionId> = evicted.iter().copied().chain(replaced).collect();
                if !ended.is_empty() {
                    self.ended(&session.user_id, &ended, EndReason::Replaced, caller.credential());
                }
                let tokens = self.issue(&session, choice, now)?;
                Opened { signed_in: SignedIn { session, user }, tokens, evicted }
            }
            Opening::Repeated(mut signed_in) => {
                self.activity.overlay(&mut signed_in.session);
                if !signed_in.session.is_active(now) {
                    return Err(Error::SessionNotActive);
                }
                note_subject(signed_in.session.id, Some(&signed_in.session.user_id));
                let tokens = self.issue(&signed_in.session, choice, now)?;
                Opened { signed_in: *signed_in, tokens, evicted: Vec::new() }
            }
            Opening::Outrun(_) => return Err(Error::Internal("a bulk ending outran the opening".into())),
            Opening::KeyReused => return Err(Error::IdempotencyKeyReused),
            Opening::UserBanned => return Err(Error::UserBanned),
            Opening::LimitReached => return Err(Error::SessionLimitReached),
            Opening::NothingToReplace => return Err(nothing_to_replace().into()),
        };
        Ok(opened)
    }

    /// Opens a session that was drafted: gives it its id, and makes it younger than the bulk endings that outran it.
    pub(super) async fn open_drafted(&self, mut new: NewSession) -> Result<(NewSession, Opening), Error> {
        let entropy = self.parts.entropy.as_ref();
        new.session.id = SessionId::new(&new.session.user_id, new.session.created_at, entropy)?;
        let mut opening = self.try_to_open(&new).await?;
        while let Opening::Outrun(reach) = opening {
            // By a millisecond, so that the id tells it too.
            let created_at = reach + TimeDelta::milliseconds(1);
            new.session.id = SessionId::new(&new.session.user_id, created_at, entropy)?;
            new.session.last_seen_at = new.session.last_seen_at.max(created_at);
            new.session.created_at = created_at;
            opening = self.try_to_open(&new).await?;
        }
        if let Opening::Opened { evicted, .. } = &opening {
            let Session { id, user_id, .. } = &new.session;
            // The user's details may be new, and a session that has expired may have been replaced.
            self.cache.user_changed(user_id);
            note_subject(*id, Some(user_id));
            tracing::debug!(session = %id, evicted = evicted.len(), "session opened");
            metrics::session_opened();
        }
        Ok((new, opening))
    }

    async fn try_to_open(&self, new: &NewSession) -> Result<Opening, store::Error> {
        let forget_replaced = |_: &store::Error| {
            // The replaced session may have ended although the answer was lost.
            if let Some(replaced) = &new.replaces {
                self.cache.forget(replaced.id);
            }
        };
        self.store().open_session(new).await.inspect_err(forget_replaced)
    }

    /// The tokens of `session` as it stands.
    pub(super) fn issue(
        &self,
        session: &Session,
        choice: TokenChoice,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, Error> {
        Ok(match choice {
            TokenChoice::Session | TokenChoice::Cookie => IssuedTokens::Session {
                token: SessionToken::mint(&self.parts.keyring, session.id, session.least_counter),
                lifetime: session.expires_at - now,
            },
            TokenChoice::AccessAndRefresh => {
                let jti = clock::uuid_v7(now, self.parts.entropy.as_ref())?;
                let application = self.application_of(session);
                let settings = application.as_deref().map(|application| &application.settings);
                let longest = self.policy().access_token_lifetime;
                let limit = settings.and_then(|settings| settings.access_token_lifetime);
                let lifetime = limit.map_or(longest, |limit| longest.min(limit));
                let (access, access_lifetime) = self
                    .access_tokens()
                    .mint_for(settings, session, jti, lifetime, now)
                    .map_err(|error| Error::Internal(error.into()))?;
                let refresh = RefreshToken::mint(&self.parts.keyring, session.id, session.refresh_counter);
                IssuedTokens::Pair { access, access_lifetime, refresh }
            }
        })
    }

    /// The session that a draft describes, its id still to be given, and what it tells of the user. What decides
    /// something is refused when it cannot be taken; what only describes is cleaned.
    pub(super) fn draft_session(
        &self,
        caller: &Caller,
        draft: SessionDraft,
        application: Option<&Application>,
        now: DateTime<Utc>,
    ) -> Result<(Session, UserDetails), Error> {
        let mut errors = FieldErrors::default();
        let user_id = errors.keep(UserId::parse(draft.user_id));
        let user = UserDetails::cleaned(draft.user_name, draft.user_email);
        let client_id = errors.keep(text::optional("client_id", draft.client_id, MAX_NAME_CHARS));
        let ip_address = draft.ip_address.as_deref().and_then(text::address);
        let location = text::cleaned(draft.location, MAX_NAME_CHARS);
        let place = ip_address.and_then(|address| self.place_of(address));
        let (location, place) = match location {
            None => (place.as_ref().and_then(Place::display), place),
            // The opener knows better where the user is, but not by which network.
            given => (given, place.and_then(Place::network_only)),
        };
        let user_agent = text::cleaned(draft.user_agent, MAX_USER_AGENT_CHARS);
        let device_name = text::cleaned(draft.device_name, MAX_NAME_CHARS);
        let scope = parse_scope(draft.scope.as_deref().unwrap_or_default());
        let allowed = |scope: &Scope| application.map_or(Ok(()), |application| allow_scope(application, scope));
        let scope = errors.keep(scope.and_then(|scope| allowed(&scope).map(|()| scope)));
        let claims = draft.claims.map_or(Ok(None), |claims| checked_claims(&claims, application));
        let claims = errors.keep_all(claims);
        let SessionDraft { expires_in, absolute_expires_in, idle_timeout, .. } = draft;
        let asked = AskedClocks { expires_in, absolute_expires_in, idle_timeout };
        let limits = self.policy().lifetime;
        let limits = application.map_or(limits, |application| lifetime_of(application, limits));
        let authentication = draft.authentication.check(limits, now, &mut errors);
        let limits = authentication.as_ref().map_or(limits, |authentication| authentication.limits);
        let clocks = errors.keep_all(Policy::clocks_within(limits, now, None, asked));
        let (Some(user_id), Some(client_id), Some(scope), Some(authentication), Some(claims), Some(clocks)) =
            (user_id, client_id, scope, authentication, claims, clocks)
        else {
            return Err(errors.into());
        };
        let Authentication { acr, amr, at: authenticated_at, limits: _ } = authentication;
        let session = Session {
            id: SessionId::from_uuid(uuid::Uuid::nil()),
            user_id,
            created_at: now,
            last_seen_at: now,
            expires_at: clocks.expires_at,
            absolute_expires_at: clocks.absolute_expires_at,
            idle_timeout: clocks.idle_timeout,
            ended: None,
            refresh_counter: 0,
            confirmed_counter: 0,
            client_id,
            ip_address: ip_address.and_then(|address| self.policy().ip_storage.keep(address)),
            location,
            place,
            last_seen_from: None,
            device: Device { name: device_name, ..recognise_device(user_agent.as_deref(), &draft.client_hints) },
            user_agent,
            scope,
            acr,
            amr,
            metadata: draft.metadata.unwrap_or_default(),
            opened_by: Some(caller.opener()),
            authenticated_at,
            least_counter: 0,
            claims,
        };
        fits_a_token(&session)?;
        Ok((session, user))
    }
}

/// The application of a new session: that of the caller's key, if it is bound to one.
fn client_within(bound: Option<&str>, asked: Option<String>) -> Result<Option<String>, FieldError> {
    match (bound, asked) {
        (None, asked) => Ok(asked),
        (Some(bound), None) => Ok(Some(bound.to_owned())),
        (Some(bound), Some(asked)) if asked == bound => Ok(Some(asked)),
        (Some(bound), Some(_)) => {
            Err(FieldError::new("client_id", format!("must be {bound}, which the key is bound to")))
        }
    }
}

/// The session that a new one replaces. A key that is bound to an application replaces only sessions of that one.
fn to_replace(bound: Option<&str>, id: &str) -> Result<Replaced, FieldError> {
    let id = SessionId::parse(id).ok_or_else(nothing_to_replace)?;
    Ok(Replaced { id, application: bound.map(ToOwned::to_owned) })
}

fn nothing_to_replace() -> FieldError {
    FieldError::new("replaces", "must be the id of a session of this user")
}

/// Refuses to open a session that may do more here than whoever opens it: of the words that this server knows in any
/// dialect, only those that the caller has itself. A service key with `sessions:grant` may give them all, and a key that is
/// bound to an application none: a session with such a right would reach every application.
pub(super) fn require_grant(caller: &Caller, scope: &Scope, rights: &[&Rights]) -> Result<(), Error> {
    let is_right = |word: &&str| word.starts_with(Scope::PREFIX) || rights.iter().any(|right| right.name(word));
    if caller.application().is_some() && scope.words().any(|word| is_right(&word)) {
        return Err(Error::BoundKey);
    }
    let grants = matches!(caller, Caller::Service(service) if service.scope.allows(Scope::GRANT));
    if grants || scope.words().filter(is_right).all(|word| caller.scope().allows(word)) {
        Ok(())
    } else {
        Err(Error::needs(Scope::GRANT))
    }
}

fn parse_scope(text: &str) -> Result<Scope, FieldError> {
    let scope = Scope::parse(text)?;
    if scope.contains(Scope::GRANT) {
        return Err(FieldError::new("scope", "must not have sessions:grant, which only service keys can have"));
    }
    Ok(scope)
}

pub(super) fn idempotency_of(caller: &Caller, idempotency: IdempotencyKey, now: DateTime<Utc>) -> Idempotency {
    let IdempotencyKey { key, fingerprint } = idempotency;
    let service = match caller {
        Caller::Service(Service { id, .. }) => id.clone(),
        Caller::User(signed_in) => user_as_service(&signed_in.session.user_id),
    };
    Idempotency { service, key, fingerprint, forget_before: now - IDEMPOTENCY_LIFETIME }
}

/// As what a user's idempotency keys are kept: no service has such an id, whatever the user is called.
pub(crate) fn user_as_service(user: &UserId) -> String {
    format!("user:{user}")
}

/// Refuses what would make an access token too long for a line of a request's head, as gateways take it: mostly 8 KiB.
pub(super) fn fits_a_token(session: &Session) -> Result<(), FieldError> {
    let Session { user_id, scope, client_id, acr, amr, claims, .. } = session;
    let texts = [user_id.as_str(), scope.as_str()].into_iter().chain(client_id.as_deref()).chain(acr.as_deref());
    // JSON writes some characters as two.
    let length = |text: &str| text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let texts: usize = texts.chain(amr.iter().map(String::as_str)).map(length).sum();
    if texts + claims.as_ref().map_or(0, |claims| claims.as_json().len()) <= MAX_CLAIM_BYTES {
        return Ok(());
    }
    let (field, with) = if claims.is_some() { ("claims", "scope, acr and amr") } else { ("amr", "scope and acr") };
    let message = format!("must have, with user_id, client_id, {with}, at most {MAX_CLAIM_BYTES} bytes");
    Err(FieldError::new(field, message))
}
