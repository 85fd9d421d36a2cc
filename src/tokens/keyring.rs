//! The keys derived from the master secrets. Of everything derived, only a secret's id is ever stored.

use std::fmt;

use aws_lc_rs::{aead, digest, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::master_secret::{MasterSecret, SecretId};
use crate::clock::{Entropy, EntropyUnavailable};

/// The length of a cursor's authentication code, in bytes: it guards against nonsense, not against forgery of rights.
const CURSOR_CODE_BYTES: usize = 16;

/// The length of the code in a pseudonym, in bytes.
const PSEUDONYM_BYTES: usize = 16;

/// Every key that is derived from one master secret, by HKDF-SHA-256 (RFC 5869) with one label per use.
struct Keys {
    id: SecretId,
    root: hkdf::Prk,
    cursors: Option<hmac::Key>,
}

/// The keys of the current master secret, for everything new, and of the previous ones, for tokens made before.
///
/// No token names the secret that authenticated it, so all secrets are tried, the current one first.
pub struct Keyring {
    current: Keys,
    previous: Vec<Keys>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keyring(…)")
    }
}

/// A decrypted text, and the id of the secret that sealed it.
pub(super) struct Opened {
    pub(super) plain: Zeroizing<Vec<u8>>,
    pub(super) sealed_with: SecretId,
}

/// The length of a 256-bit cipher key, in the form that HKDF expects.
struct CipherKey;

impl hkdf::KeyType for CipherKey {
    fn len(&self) -> usize {
        32
    }
}

impl Keys {
    fn from(secret: &MasterSecret) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"sojourn").extract(secret.as_bytes());
        let cursors = code_key(&root, b"cursor", b"");
        let id = code_key(&root, b"id of the secret", b"").map(|key| hmac::sign(&key, b""));
        let id = id.and_then(|code| code.as_ref().first_chunk().copied()).unwrap_or_default();
        Self { id: SecretId::new(id), root, cursors }
    }

    fn cipher(&self, label: &[u8]) -> Option<aead::LessSafeKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.root.expand(&[label], CipherKey).ok()?.fill(bytes.as_mut_slice()).ok()?;
        Some(aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, bytes.as_slice()).ok()?))
    }

    fn open(&self, label: &[u8], context: &[u8], sealed: &[u8]) -> Option<Opened> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<{ aead::NONCE_LEN }>()?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let length = self.cipher(label)?.open_in_place(nonce, aead::Aad::from(context), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(Opened { plain, sealed_with: self.id })
    }

    fn cursor_code(&self, position: &[u8], query: &str) -> Option<[u8; CURSOR_CODE_BYTES]> {
        let mut code = hmac::Context::with_key(self.cursors.as_ref()?);
        // The length separates the two inputs, so that no other pair has the same bytes.
        code.update(&position.len().to_be_bytes());
        code.update(position);
        code.update(query.as_bytes());
        code.sign().as_ref().first_chunk().copied()
    }
}

impl Keyring {
    /// Derives the keys of `secret` alone.
    pub fn new(secret: &MasterSecret) -> Self {
        Self { current: Keys::from(secret), previous: Vec::new() }
    }

    /// Adds the keys of `previous` secrets. Duplicates, also of the current secret, count once.
    #[must_use]
    pub fn with_previous(mut self, previous: &[MasterSecret]) -> Self {
        for keys in previous.iter().map(Keys::from) {
            if !self.ids().any(|id| id == keys.id) {
                self.previous.push(keys);
            }
        }
        self
    }

    /// The id of the current secret, which everything new is made with.
    pub fn current_id(&self) -> SecretId {
        self.current.id
    }

    /// The ids of all secrets, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = SecretId> {
        self.all().map(|keys| keys.id)
    }

    fn all(&self) -> impl Iterator<Item = &Keys> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The authentication code (32 bytes) of `message` under the key for `label` and `context`.
    pub(super) fn code(&self, label: &[u8], context: &[u8], message: &[u8]) -> Option<hmac::Tag> {
        Some(hmac::sign(&code_key(&self.current.root, label, context)?, message))
    }

    /// Whether `code` is the authentication code of `message` under any of the secrets, each compared in constant time.
    pub(super) fn code_matches(&self, label: &[u8], context: &[u8], message: &[u8], code: &[u8]) -> bool {
        let matches = |key: hmac::Key| hmac::verify(&key, message, code).is_ok();
        self.all().any(|keys| code_key(&keys.root, label, context).is_some_and(matches))
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
        let key = self.current.cipher(label).ok_or(EntropyUnavailable)?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::from(context), &mut sealed)
            .map_err(|_| EntropyUnavailable)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts the output of [`Keyring::seal`]. `None` for another secret, another label or another context.
    pub(super) fn open(&self, label: &[u8], context: &[u8], sealed: &[u8]) -> Option<Opened> {
        self.all().find_map(|keys| keys.open(label, context, sealed))
    }

    /// The text that stands for an erased id: the same for the same id, and nothing tells the id without the secret.
    pub fn pseudonym(&self, id: &str) -> String {
        let code = self.code(b"erased id", b"", id.as_bytes());
        let code = code.as_ref().and_then(|code| code.as_ref().first_chunk::<PSEUDONYM_BYTES>());
        format!("erased:{}", code.map(|code| URL_SAFE_NO_PAD.encode(code)).unwrap_or_default())
    }

    /// Writes a paging cursor: `position`, readable only together with the same `query`.
    pub fn seal_cursor(&self, position: &[u8], query: &str) -> String {
        let mut bytes = position.to_vec();
        bytes.extend(self.current.cursor_code(position, query).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of [`Keyring::seal_cursor`] with the same `query`; `None` for anything else.
    pub fn open_cursor(&self, text: &str, query: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (position, code) = bytes.split_at_checked(bytes.len().checked_sub(CURSOR_CODE_BYTES)?)?;
        let matches = |keys: &Keys| keys.cursor_code(position, query).is_some_and(|right| same(&right, code));
        self.all().any(matches).then(|| position.to_vec())
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

/// A hash that identifies a request (SHA-256).
pub fn fingerprint(request: &[u8]) -> Vec<u8> {
    sha256(request).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn secret() -> MasterSecret {
        MasterSecret::generate(&SystemEntropy).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_only_with_the_same_secret_and_context() {
        let secret = secret();
        let keys = Keyring::new(&secret);
        let sealed = keys.seal(b"use", b"one", b"plain", &SystemEntropy).unwrap();
        let open = |keys: &Keyring, label: &[u8], context: &[u8]| {
            keys.open(label, context, &sealed).map(|opened| (opened.plain.to_vec(), opened.sealed_with))
        };
        let plain = Some((b"plain".to_vec(), keys.current_id()));
        assert_eq!(open(&keys, b"use", b"one"), plain);
        assert_eq!(open(&keys, b"use", b"two"), None);
        assert_eq!(open(&keys, b"other", b"one"), None);
        let other = self::secret();
        assert_eq!(open(&Keyring::new(&other), b"use", b"one"), None);
        assert_eq!(open(&Keyring::new(&other).with_previous(&[secret]), b"use", b"one"), plain);
    }

    #[test]
    fn previous_secrets_read_what_they_wrote_and_the_current_one_writes() {
        let (old, new) = (secret(), secret());
        let before = Keyring::new(&old);
        let after = Keyring::new(&new).with_previous(&[secret(), old]);
        let code = before.code(b"use", b"one", b"message").unwrap();
        assert!(after.code_matches(b"use", b"one", b"message", code.as_ref()));
        assert!(!after.code_matches(b"use", b"two", b"message", code.as_ref()));
        assert!(!Keyring::new(&new).code_matches(b"use", b"one", b"message", code.as_ref()));
        let code = after.code(b"use", b"one", b"message").unwrap();
        assert!(Keyring::new(&new).code_matches(b"use", b"one", b"message", code.as_ref()));

        let cursor = before.seal_cursor(b"position", "query");
        assert_eq!(after.open_cursor(&cursor, "query").as_deref(), Some(b"position".as_slice()));
        assert_eq!(
            Keyring::new(&new).open_cursor(&after.seal_cursor(b"p", "q"), "q").as_deref(),
            Some(b"p".as_slice())
        );
    }

    #[test]
    fn a_secret_that_is_told_twice_counts_once() {
        let (current, old) = (secret(), secret());
        let keys = Keyring::new(&current).with_previous(&[old.clone(), current.clone(), old.clone()]);
        let ids: Vec<SecretId> = keys.ids().collect();
        assert_eq!(ids, [Keyring::new(&current).current_id(), Keyring::new(&old).current_id()]);
        assert_ne!(ids[0], ids[1]);
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
    fn a_pseudonym_is_the_same_for_the_same_id_and_depends_on_the_secret() {
        let keys = Keyring::new(&secret());
        let pseudonym = keys.pseudonym("1001");
        assert!(pseudonym.starts_with("erased:") && pseudonym.len() == 29, "{pseudonym}");
        assert_eq!(keys.pseudonym("1001"), pseudonym);
        assert_ne!(keys.pseudonym("1002"), pseudonym);
        assert_ne!(Keyring::new(&secret()).pseudonym("1001"), pseudonym);
    }

    #[test]
    fn secrets_print_nothing() {
        let secret = secret();
        assert_eq!(format!("{secret:?} {:?}", Keyring::new(&secret)), "MasterSecret(…) Keyring(…)");
    }
}
