//! The master secret and what is derived from it. Nothing derived is ever stored.

use std::fmt;

use aws_lc_rs::{aead, digest, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::clock::{Entropy, EntropyUnavailable};

/// The shortest master secret, in bytes.
const SHORTEST_SECRET: usize = 32;
/// The bytes of a cursor's authentication code: it guards against nonsense, not against forgery of rights.
const CURSOR_CODE_BYTES: usize = 16;

/// The secret that everything else is derived from.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterSecret(Vec<u8>);

/// Why a text is no master secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterSecretError {
    /// Neither hexadecimal nor base64.
    #[error("must be base64 or hexadecimal")]
    Encoding,
    /// Too short to keep anything safe.
    #[error("must have 32 bytes or more")]
    TooShort,
    /// The same byte over and over: an example that was never replaced.
    #[error("must be random, not one repeated byte")]
    Constant,
}

impl MasterSecret {
    /// Reads a secret written in hexadecimal (any text of hexadecimal digits alone) or in base64 of either alphabet.
    pub fn parse(text: &str) -> Result<Self, MasterSecretError> {
        let text = text.trim();
        let bytes = if text.len() >= 2 * SHORTEST_SECRET && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            hexadecimal(text)
        } else {
            [URL_SAFE_NO_PAD, URL_SAFE, STANDARD_NO_PAD, STANDARD].iter().find_map(|engine| engine.decode(text).ok())
        };
        let bytes = bytes.ok_or(MasterSecretError::Encoding)?;
        if bytes.len() < SHORTEST_SECRET {
            return Err(MasterSecretError::TooShort);
        }
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            return Err(MasterSecretError::Constant);
        }
        Ok(Self(bytes))
    }

    /// Makes a new secret of 32 random bytes.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = vec![0; SHORTEST_SECRET];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The secret as base64, to be written to its file.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterSecret(…)")
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

/// Every key that comes from the master secret, by HKDF-SHA-256 (RFC 5869) with one label per use.
pub struct Keyring {
    root: hkdf::Prk,
    cursors: Option<hmac::Key>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keyring(…)")
    }
}

/// A 256-bit authenticated cipher key, as HKDF wants to be told.
struct CipherKey;

impl hkdf::KeyType for CipherKey {
    fn len(&self) -> usize {
        32
    }
}

impl Keyring {
    /// Derives from `secret`.
    pub fn new(secret: &MasterSecret) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"sojourn").extract(&secret.0);
        let cursors = code_key(&root, b"cursor", b"");
        Self { root, cursors }
    }

    /// The authentication code (32 bytes) of `message` under the key for `label` and `context`.
    pub(super) fn code(&self, label: &[u8], context: &[u8], message: &[u8]) -> Option<hmac::Tag> {
        Some(hmac::sign(&code_key(&self.root, label, context)?, message))
    }

    /// Whether `code` is that of `message`; the comparison takes the same time whatever the code.
    pub(super) fn code_matches(&self, label: &[u8], context: &[u8], message: &[u8], code: &[u8]) -> bool {
        code_key(&self.root, label, context).is_some_and(|key| hmac::verify(&key, message, code).is_ok())
    }

    /// Encrypts `plain` (AES-256-GCM) for the use `label`, bound to `context`: nonce, ciphertext and tag in one.
    pub(super) fn seal(
        &self,
        label: &[u8],
        context: &[u8],
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EntropyUnavailable> {
        let mut nonce = [0; aead::NONCE_LEN];
        entropy.fill(&mut nonce)?;
        let key = self.cipher(label).ok_or(EntropyUnavailable)?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(context), &mut sealed)
            .map_err(|_| EntropyUnavailable)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Keyring::seal`] made; `None` when the secret, the label or the context is another.
    pub(super) fn open(&self, label: &[u8], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let mut plain = ciphertext.to_vec();
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let length = self.cipher(label)?.open_in_place(nonce, aead::Aad::from(context), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    fn cipher(&self, label: &[u8]) -> Option<aead::LessSafeKey> {
        let mut bytes = [0; 32];
        self.root.expand(&[label], CipherKey).ok()?.fill(&mut bytes).ok()?;
        Some(aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &bytes).ok()?))
    }

    /// Writes a paging cursor: `position`, readable again only together with the same `query`.
    pub fn seal_cursor(&self, position: &[u8], query: &str) -> String {
        let mut bytes = position.to_vec();
        bytes.extend(self.cursor_code(position, query).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Keyring::seal_cursor`] wrote for the same `query`; `None` for anything else.
    pub fn open_cursor(&self, text: &str, query: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (position, code) = bytes.split_at_checked(bytes.len().checked_sub(CURSOR_CODE_BYTES)?)?;
        same(&self.cursor_code(position, query)?, code).then(|| position.to_vec())
    }

    fn cursor_code(&self, position: &[u8], query: &str) -> Option<[u8; CURSOR_CODE_BYTES]> {
        let mut code = hmac::Context::with_key(self.cursors.as_ref()?);
        // How long the one is tells where the other begins.
        code.update(&position.len().to_be_bytes());
        code.update(position);
        code.update(query.as_bytes());
        code.sign().as_ref().first_chunk().copied()
    }
}

fn code_key(root: &hkdf::Prk, label: &[u8], context: &[u8]) -> Option<hmac::Key> {
    Some(hmac::Key::from(root.expand(&[label, context], hmac::HMAC_SHA256).ok()?))
}

/// Whether two byte strings are equal, in a time that does not depend on their content.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// SHA-256 of `bytes`.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn secret() -> MasterSecret {
        MasterSecret::generate(&SystemEntropy).unwrap()
    }

    #[test]
    fn a_master_secret_is_read_from_hexadecimal_and_from_base64() {
        let bytes: Vec<u8> = (0..32).collect();
        let hexadecimal = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let base64 = STANDARD.encode(&bytes);
        assert_eq!(MasterSecret::parse(hexadecimal).unwrap().0, bytes);
        assert_eq!(MasterSecret::parse(&format!("{base64}\n")).unwrap().0, bytes);
    }

    #[test]
    fn a_weak_master_secret_is_refused() {
        assert_eq!(MasterSecret::parse("secret").unwrap_err(), MasterSecretError::Encoding);
        assert_eq!(MasterSecret::parse("c2hvcnQ=").unwrap_err(), MasterSecretError::TooShort);
        assert_eq!(MasterSecret::parse(&"0".repeat(64)).unwrap_err(), MasterSecretError::Constant);
        assert_eq!(
            MasterSecret::parse("not base64 at all, never mind how long it is!").unwrap_err(),
            MasterSecretError::Encoding
        );
    }

    #[test]
    fn what_is_sealed_opens_only_with_the_same_secret_and_context() {
        let secret = secret();
        let keys = Keyring::new(&secret);
        let sealed = keys.seal(b"use", b"one", b"plain", &SystemEntropy).unwrap();
        assert_eq!(keys.open(b"use", b"one", &sealed).as_deref(), Some(b"plain".as_slice()));
        assert_eq!(keys.open(b"use", b"two", &sealed), None);
        assert_eq!(keys.open(b"other", b"one", &sealed), None);
        assert_eq!(Keyring::new(&self::secret()).open(b"use", b"one", &sealed), None);
    }

    #[test]
    fn a_cursor_is_good_for_its_own_query_only() {
        let keys = Keyring::new(&secret());
        let cursor = keys.seal_cursor(b"position", "query");
        assert_eq!(keys.open_cursor(&cursor, "query").as_deref(), Some(b"position".as_slice()));
        assert_eq!(keys.open_cursor(&cursor, "another"), None);
        assert_eq!(keys.open_cursor(&cursor[..cursor.len() - 1], "query"), None);
        assert_eq!(keys.open_cursor("", "query"), None);
    }

    #[test]
    fn secrets_print_nothing() {
        let secret = secret();
        assert_eq!(format!("{secret:?} {:?}", Keyring::new(&secret)), "MasterSecret(…) Keyring(…)");
    }
}
