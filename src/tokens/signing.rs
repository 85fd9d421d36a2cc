//! A key that signs access tokens: generated, sealed for the store, opened again, and used.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use super::keyring::{Keyring, Opened};
use super::master_secret::SecretId;
use crate::clock::{Entropy, EntropyUnavailable};
use crate::model::Algorithm;

const SEAL_LABEL: &[u8] = b"signing key";

impl Algorithm {
    pub(super) fn jwa(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }

    /// A new private key in PKCS #8.
    fn generate(self) -> Option<Zeroizing<Vec<u8>>> {
        let random = SystemRandom::new();
        Some(Zeroizing::new(match self {
            Self::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&random).ok()?.as_ref().to_vec(),
            Self::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?.as_ref().to_vec()
            }
            Self::Rs256 => {
                let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).ok()?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&key).ok()?.as_ref().to_vec()
            }
        }))
    }

    fn encoding_key(self, pkcs8: &[u8]) -> Option<EncodingKey> {
        match self {
            Self::EdDsa => Some(EncodingKey::from_ed_der(pkcs8)),
            Self::Es256 => Some(EncodingKey::from_ec_der(pkcs8)),
            Self::Rs256 => {
                let base64 = Zeroizing::new(STANDARD.encode(pkcs8));
                let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *base64);
                let pem = Zeroizing::new(pem);
                EncodingKey::from_rsa_pem(pem.as_bytes()).ok()
            }
        }
    }
}

/// A signing key as stored: its private part opens only with the master secret that sealed it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSigningKey {
    /// The predecessor's number plus one. Uniqueness makes one replica win when several rotate at once.
    pub sequence: i64,
    /// The key's name in token headers: its thumbprint (RFC 7638).
    pub kid: String,
    /// The signature algorithm.
    pub algorithm: Algorithm,
    /// The sealed private part.
    pub sealed: Vec<u8>,
    /// The time of creation and of publication.
    pub created_at: DateTime<Utc>,
    /// The time from which on the key signs.
    pub active_from: DateTime<Utc>,
    /// The latest time at which some server needed keys of this algorithm; `None`: never noted.
    pub wanted_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for SealedSigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealedSigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The reason why no signing key can be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The stored key was sealed with a master secret that is not set.
    #[error(
        "SOJOURN_SECRET is not the secret that the signing keys in this database were sealed with: set it as it was before, or \
         name the former one in SOJOURN_PREVIOUS_SECRETS"
    )]
    WrongSecret,
    /// A key could not be generated.
    #[error("no signing key could be made")]
    Generation,
    /// Random bytes were not available.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
}

impl SealedSigningKey {
    /// Generates a key and seals it with `keys`.
    pub fn generate(
        keys: &Keyring,
        algorithm: Algorithm,
        sequence: i64,
        created_at: DateTime<Utc>,
        active_from: DateTime<Utc>,
        entropy: &dyn Entropy,
    ) -> Result<Self, SigningKeyError> {
        let private = algorithm.generate().ok_or(SigningKeyError::Generation)?;
        let kid = public_key(algorithm, &private).map(|(_, kid)| kid).ok_or(SigningKeyError::Generation)?;
        let sealed = keys.seal(SEAL_LABEL, kid.as_bytes(), &private, entropy)?;
        Ok(Self { sequence, kid, algorithm, sealed, created_at, active_from, wanted_at: None })
    }

    /// The id of the secret that the key is sealed with.
    pub fn sealed_with(&self, keys: &Keyring) -> Result<SecretId, SigningKeyError> {
        self.unseal(keys).map(|opened| opened.sealed_with)
    }

    /// The private part of the same key, sealed with the current secret of `keys`.
    pub fn sealed_anew(&self, keys: &Keyring, entropy: &dyn Entropy) -> Result<Vec<u8>, SigningKeyError> {
        let private = self.unseal(keys)?.plain;
        Ok(keys.seal(SEAL_LABEL, self.kid.as_bytes(), &private, entropy)?)
    }

    fn unseal(&self, keys: &Keyring) -> Result<Opened, SigningKeyError> {
        keys.open(SEAL_LABEL, self.kid.as_bytes(), &self.sealed).ok_or(SigningKeyError::WrongSecret)
    }

    /// The key with its private part, which may sign and is not retired.
    pub(super) fn open(&self, keys: &Keyring) -> Result<SigningKey, SigningKeyError> {
        let private = self.unseal(keys)?.plain;
        let signer = Signer::new(self.algorithm, &private).ok_or(SigningKeyError::WrongSecret)?;
        let (public, _) = public_key(self.algorithm, &private).ok_or(SigningKeyError::WrongSecret)?;
        let decoding = DecodingKey::from_jwk(&public).map_err(|_| SigningKeyError::WrongSecret)?;
        Ok(SigningKey {
            kid: self.kid.clone(),
            algorithm: self.algorithm,
            signer,
            decoding,
            public,
            active_from: self.active_from,
            dead_from: None,
        })
    }
}

/// The public half as a JWK, and its thumbprint.
fn public_key(algorithm: Algorithm, private: &[u8]) -> Option<(Jwk, String)> {
    let mut jwk = Jwk::from_encoding_key(&algorithm.encoding_key(private)?, algorithm.jwa()).ok()?;
    let kid = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
    jwk.common.key_id = Some(kid.clone());
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Some((jwk, kid))
}

/// A private key, ready to sign. The JWT library would parse the key for each token, which takes nearly as long as an
/// Ed25519 signature.
pub(super) enum Signer {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
}

impl Signer {
    fn new(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::from_pkcs8(pkcs8).ok()?),
            Algorithm::Es256 => Self::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?),
            Algorithm::Rs256 => Self::Rs256(rsa::KeyPair::from_pkcs8(pkcs8).ok()?),
        })
    }

    /// The signature as a JWS carries it (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1).
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::EdDsa(key) => Some(key.sign(message).as_ref().to_vec()),
            Self::Es256(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) signer: Signer,
    pub(super) decoding: DecodingKey,
    pub(super) public: Jwk,
    pub(super) active_from: DateTime<Utc>,
    /// The time by which every token that the key signed has expired; unknown as long as it may sign.
    pub(super) dead_from: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::tokens::master_secret::MasterSecret;

    fn key(keys: &Keyring, algorithm: Algorithm) -> SealedSigningKey {
        let now = DateTime::UNIX_EPOCH;
        SealedSigningKey::generate(keys, algorithm, 1, now, now, &SystemEntropy).unwrap()
    }

    #[test]
    fn a_key_that_is_sealed_anew_is_the_same_key_and_needs_the_former_secret_no_more() {
        let secret = || MasterSecret::generate(&SystemEntropy).unwrap();
        let (old, new) = (secret(), secret());
        let before = Keyring::new(&old);
        let sealed = key(&before, Algorithm::EdDsa);
        let both = Keyring::new(&new).with_previous(&[old]);
        assert_eq!(sealed.sealed_with(&both).unwrap(), before.current_id());

        let anew = sealed.sealed_anew(&both, &SystemEntropy).unwrap();
        let anew = SealedSigningKey { sealed: anew, ..sealed.clone() };
        assert_eq!(anew.sealed_with(&both).unwrap(), both.current_id());
        let public = |key: SealedSigningKey, keys| key.open(keys).unwrap().public;
        assert_eq!(public(anew, &Keyring::new(&new)), public(sealed, &before));
    }
}
