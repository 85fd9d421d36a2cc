//! Access tokens: JWTs after RFC 9068, checked after RFC 8725.
//!
//! The library checks the signature only. Size and characters, type, critical headers, issuer, audience, subject, and
//! all times against our own clock are checked here.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::TokenError;
use super::extra_claims::ClaimMembers;
use super::key_set::{KeyInUse, KeySet, NoSigningKey};
use super::keyring::sha256;
use super::lifetime::MAX_ACCESS_TOKEN_LIFETIME;
use super::secret::Secret;
use super::signing::SigningKey;
use crate::model::{ApplicationSettings, Session, SessionId, TokenIssuer, UserId};

/// The clock difference between replicas that is tolerated (RFC 8725 allows "a few minutes"; we do not).
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
const MAX_TOKEN_BYTES: usize = 8 * 1024;
const MAX_KID_BYTES: usize = 64;
const TYPE: &str = "at+jwt";
/// The client id of sessions that were opened without one: RFC 9068 requires it in every token.
const NO_CLIENT: &str = "default";

/// The claims on the wire, RFC 9068 section 2.2. `refresh_count` is ours: see [`AccessClaims::refresh_counter`].
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    sid: Uuid,
    jti: String,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing)]
    nbf: Option<i64>,
    auth_time: i64,
    client_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
    #[serde(default)]
    refresh_count: u32,
}

/// An access token's claims, with those that its session's opener adds. None of the latter has the name of one of ours.
#[derive(Serialize)]
struct WithExtraClaims<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    #[serde(flatten)]
    extra: &'a ClaimMembers,
}

/// One audience, or a list of them (RFC 7519 section 4.1.3).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn new(audiences: &[String]) -> Self {
        match audiences {
            [one] => Self::One(one.clone()),
            several => Self::Several(several.to_vec()),
        }
    }

    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// The claims of a verified access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// The session that the token belongs to.
    pub session_id: SessionId,
    /// The session's user.
    pub user_id: UserId,
    /// The time of issue.
    pub issued_at: DateTime<Utc>,
    /// The expiry.
    pub expires_at: DateTime<Utc>,
    /// The user's authentication that the session went back to when the token was issued.
    pub authenticated_at: DateTime<Utc>,
    /// The refresh that issued the token. Seeing the token proves that the client received the answer to that refresh.
    pub refresh_counter: u32,
}

/// Mints and checks access tokens with the current signing keys.
pub struct AccessTokens {
    issuer: String,
    audience: String,
    /// The audiences of applications, which this server accepts besides its own.
    other_audiences: RwLock<BTreeSet<String>>,
    keys: RwLock<Arc<KeySet>>,
    checked: Cache<Digest, Arc<Checked>>,
}

/// The SHA-256 of a whole token.
type Digest = [u8; 32];

/// A token with a verified signature. The same bytes are not verified again, but the key may have been retired
/// meanwhile.
struct Checked {
    kid: String,
    claims: AccessClaims,
}

/// The maximum number of remembered tokens, about 300 bytes each.
const MAX_CHECKED: usize = 50_000;

impl AccessTokens {
    /// Tokens of this issuer for this audience, signed by these keys.
    pub fn new(issuer: String, audience: String, keys: KeySet) -> Self {
        Self {
            issuer,
            audience,
            other_audiences: RwLock::default(),
            keys: RwLock::new(Arc::new(keys)),
            checked: Cache::new(MAX_CHECKED),
        }
    }

    /// The `iss` of every token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Both, for other processes.
    pub fn token_issuer(&self) -> TokenIssuer {
        TokenIssuer { issuer: self.issuer.clone(), audience: self.audience.clone() }
    }

    /// The `aud` of tokens for no application that has its own.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The `aud` of tokens for an application with these audiences; without any, the server's own.
    pub fn audiences<'a>(&'a self, of_application: &'a [String]) -> &'a [String] {
        if of_application.is_empty() { std::slice::from_ref(&self.audience) } else { of_application }
    }

    /// Replaces the audiences of applications, whose tokens count here as well: this server minted them.
    pub fn accept_audiences(&self, audiences: BTreeSet<String>) {
        *self.other_audiences.write().unwrap_or_else(std::sync::PoisonError::into_inner) = audiences;
    }

    fn accepts(&self, audience: &str) -> bool {
        let others = || self.other_audiences.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        audience == self.audience || others().contains(audience)
    }

    /// Replaces the signing keys.
    pub fn replace_keys(&self, keys: KeySet) {
        *self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(keys);
    }

    /// The public keys that verifiers need.
    pub fn published(&self, now: DateTime<Utc>) -> JwkSet {
        self.keys().published(now)
    }

    /// The key that signs at `now` for applications without an algorithm of their own.
    pub fn signing_key(&self, now: DateTime<Utc>) -> Result<KeyInUse, NoSigningKey> {
        let keys = self.keys();
        let SigningKey { kid, algorithm, active_from, .. } = keys.signing(None, now)?;
        Ok(KeyInUse { kid: kid.clone(), algorithm: *algorithm, since: *active_from })
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Mints a token for the server's own audience (see [`AccessTokens::mint_for`]).
    pub fn mint(
        &self,
        session: &Session,
        jti: Uuid,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(Secret, TimeDelta), NoSigningKey> {
        self.mint_for(None, session, jti, lifetime, now)
    }

    /// Mints a token for `session` as its application's settings want it: for their audiences, signed with their algorithm,
    /// with those of the session's extra claims that they allow. It is valid for `lifetime`, but never beyond the session's
    /// expiry. Returns it with its lifetime in whole seconds. `jti` must be unique.
    pub fn mint_for(
        &self,
        application: Option<&ApplicationSettings>,
        session: &Session,
        jti: Uuid,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(Secret, TimeDelta), NoSigningKey> {
        let keys = self.keys();
        let key = keys.signing(application.and_then(|application| application.signing_algorithm), now)?;
        let audiences = application.map_or(&[][..], |application| &application.audiences);
        let extra = ClaimMembers::of(session, application);
        let expires_at = session.expires_at.min(now + lifetime.min(MAX_ACCESS_TOKEN_LIFETIME));
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: Audience::new(self.audiences(audiences)),
            sub: session.user_id.as_str().to_owned(),
            sid: session.id.as_uuid(),
            jti: jti.to_string(),
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
            nbf: None,
            auth_time: session.authenticated_at.timestamp(),
            client_id: client_id_of(session).to_owned(),
            scope: session.scope.as_str().to_owned(),
            acr: session.acr.clone(),
            amr: session.amr.clone(),
            refresh_count: session.refresh_counter,
        };
        let token = if extra.is_empty() {
            encode(TYPE, &claims, key)?
        } else {
            encode(TYPE, &WithExtraClaims { claims: &claims, extra: &extra }, key)?
        };
        Ok((Secret::new(token), TimeDelta::seconds(claims.exp - claims.iat)))
    }

    /// Signs claims other than an access token's with the server's key. `typ` keeps the two kinds from being confused.
    pub fn sign(&self, typ: &str, claims: &impl Serialize, now: DateTime<Utc>) -> Result<String, NoSigningKey> {
        encode(typ, claims, self.keys().signing(None, now)?)
    }

    /// Checks that an access token is ours and valid at `now`. The caller checks that its session is active.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, TokenError> {
        let claims = self.verify_owner(token, now)?;
        if claims.expires_at <= now { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// Same as [`AccessTokens::verify`], but accepts an expired token: good enough to revoke it, never to use it.
    pub fn verify_owner(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let digest = sha256(token.as_bytes());
        if let Some(checked) = self.checked.get(&digest) {
            self.keys().find(&checked.kid, now).ok_or(TokenError::UnknownKey)?;
            // The clock may have been set back since the token was first verified.
            return if checked.claims.issued_at > now + LEEWAY {
                Err(TokenError::Premature)
            } else {
                Ok(checked.claims.clone())
            };
        }
        well_formed(token)?;
        let (kid, claims) = self.verify_signature(token, now)?;
        let claims = self.check(claims, now)?;
        self.checked.insert(digest, Arc::new(Checked { kid, claims: claims.clone() }));
        Ok(claims)
    }

    fn verify_signature(&self, token: &str, now: DateTime<Utc>) -> Result<(String, Claims), TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        if header.crit.is_some() || header.extras.inner().contains_key("b64") {
            return Err(TokenError::Critical);
        }
        if !header.typ.as_deref().is_some_and(is_our_type) {
            return Err(TokenError::WrongType);
        }
        let kid = header.kid.as_deref().filter(|kid| kid.len() <= MAX_KID_BYTES).ok_or(TokenError::UnknownKey)?;
        let keys = self.keys();
        let key = keys.find(kid, now).ok_or(TokenError::UnknownKey)?;
        let algorithm = key.algorithm.jwa();
        if header.alg != algorithm {
            return Err(TokenError::Signature);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &signature_only(algorithm))
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::Json(_) => TokenError::Claims,
                _ => TokenError::Signature,
            })?
            .claims;
        Ok((key.kid.clone(), claims))
    }

    fn check(&self, claims: Claims, now: DateTime<Utc>) -> Result<AccessClaims, TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if !claims.aud.all().iter().any(|audience| self.accepts(audience)) {
            return Err(TokenError::Audience);
        }
        let instant = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(TokenError::Claims);
        let (issued_at, expires_at) = (instant(claims.iat)?, instant(claims.exp)?);
        if expires_at - issued_at > MAX_ACCESS_TOKEN_LIFETIME {
            return Err(TokenError::Claims);
        }
        let not_before = claims.nbf.map(instant).transpose()?.unwrap_or(issued_at);
        if issued_at.max(not_before) > now + LEEWAY {
            return Err(TokenError::Premature);
        }
        Ok(AccessClaims {
            session_id: SessionId::from_uuid(claims.sid),
            user_id: UserId::parse(claims.sub).map_err(|_| TokenError::Claims)?,
            issued_at,
            expires_at,
            authenticated_at: instant(claims.auth_time)?,
            refresh_counter: claims.refresh_count,
        })
    }
}

fn encode(typ: &str, claims: &impl Serialize, key: &SigningKey) -> Result<String, NoSigningKey> {
    let mut header = Header::new(key.algorithm.jwa());
    header.typ = Some(typ.to_owned());
    header.kid = Some(key.kid.clone());
    compact(&header, claims, key).ok_or(NoSigningKey)
}

/// The compact serialization (RFC 7515 section 7.1).
fn compact(header: &Header, claims: &impl Serialize, key: &SigningKey) -> Option<String> {
    let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(header).ok()?);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).ok()?, &mut token);
    let signature = key.signer.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Some(token)
}

/// The client id in a session's tokens (RFC 9068 section 2.2 requires one in each).
pub fn client_id_of(session: &Session) -> &str {
    session.client_id.as_deref().unwrap_or(NO_CLIENT)
}

/// Three parts of base64url. Anything else is refused before it is decoded (RFC 8725 section 3.11 and its revision).
fn well_formed(token: &str) -> Result<(), TokenError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let dots = token.bytes().filter(|byte| *byte == b'.').count();
    if dots == 2 && token.bytes().all(allowed) { Ok(()) } else { Err(TokenError::Malformed) }
}

/// RFC 9068 section 4: `at+jwt`, with or without `application/`, in any case.
fn is_our_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
}

fn signature_only(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

#[cfg(test)]
mod tests;
