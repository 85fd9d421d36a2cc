//! Minting tokens, and telling our own from everything else.
//!
//! Four kinds, each with a form that no other kind can be mistaken for: access tokens (JWT), refresh tokens (`sjr_`),
//! session tokens (`sjs_`) and service keys (`sjk_`). Whether the session behind a token stands is not decided here.

mod access;
mod keyring;
mod master_secret;
mod opaque;
mod service_key;
mod signing;

use std::fmt;

use zeroize::ZeroizeOnDrop;

pub use crate::model::ServiceKeyId;
pub use access::{AccessClaims, AccessTokens, LONGEST_ACCESS_TOKEN_LIFETIME, client_id_of};
pub use keyring::Keyring;
pub use master_secret::{MasterSecret, MasterSecretError, SecretId, is_weak};
pub use opaque::{Derived, RefreshToken, SessionToken};
pub use service_key::{BootstrapKey, NewServiceKey, ServiceKey, StoredServiceKey};
pub(crate) use signing::last_token_dead;
pub use signing::{Algorithm, KeySet, NoSigningKey, PUBLICATION_LEAD, SealedSigningKey, SigningKeyError};

/// Why something is not a token of ours, or not good any more: for the log, never for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has none of our forms.
    #[error("malformed")]
    Malformed,
    /// It has the right form, and its checksum is wrong: mistyped or cut off.
    #[error("wrong checksum")]
    Checksum,
    /// It was not made with our secret.
    #[error("wrong authentication code")]
    Forged,
    /// It names no key that counts now.
    #[error("unknown signing key")]
    UnknownKey,
    /// Its signature is wrong, or of another algorithm than its key's.
    #[error("wrong signature")]
    Signature,
    /// It is another type of token.
    #[error("wrong type of token")]
    WrongType,
    /// It asks for a header extension that we do not have.
    #[error("unknown critical header")]
    Critical,
    /// It is from another issuer.
    #[error("wrong issuer")]
    Issuer,
    /// It is for another audience.
    #[error("wrong audience")]
    Audience,
    /// Its claims are missing, of the wrong type, or absurd.
    #[error("wrong claims")]
    Claims,
    /// It has expired.
    #[error("expired")]
    Expired,
    /// It is from the future.
    #[error("not valid yet")]
    Premature,
}

/// Text that nobody may see by accident: its `Debug` shows nothing of it, and its memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself: for the answer that hands it out, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// A hash that tells one request from another (SHA-256).
pub fn fingerprint(request: &[u8]) -> Vec<u8> {
    keyring::sha256(request).to_vec()
}

/// What form a bearer credential has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `sjs_…`
    SessionToken,
    /// `sjr_…`
    RefreshToken,
    /// `sjk_…`
    ServiceKey,
    /// Anything else: an access token, or nothing of ours.
    AccessToken,
}

impl Form {
    /// The prefixes of opaque tokens.
    pub const PREFIXES: [&'static str; 3] = [opaque::SESSION_PREFIX, opaque::REFRESH_PREFIX, service_key::PREFIX];

    /// The form that `token` has by its beginning; says nothing about whether it is good.
    pub fn of(token: &str) -> Self {
        if token.starts_with(opaque::SESSION_PREFIX) {
            Self::SessionToken
        } else if token.starts_with(opaque::REFRESH_PREFIX) {
            Self::RefreshToken
        } else if token.starts_with(service_key::PREFIX) {
            Self::ServiceKey
        } else {
            Self::AccessToken
        }
    }
}
