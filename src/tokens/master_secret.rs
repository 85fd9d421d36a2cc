//! The master secret: its encoding, and the check against weak texts.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::ZeroizeOnDrop;

use crate::clock::{Entropy, EntropyUnavailable};

/// The minimum length of a master secret, in bytes.
const SHORTEST_SECRET: usize = 32;
/// The minimum number of different bytes, and of different steps between neighbouring bytes, in a random text. Of random
/// texts of 32 hexadecimal digits, the weakest kind in use, fewer than one in a million falls below it.
const MIN_DIFFERENT_BYTES: usize = 8;

/// The secret that everything else is derived from. Its memory is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct MasterSecret(Vec<u8>);

/// The reason why a text is not a master secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterSecretError {
    /// Neither hexadecimal nor base64.
    #[error("must be base64 or hexadecimal")]
    Encoding,
    /// Too short to protect anything.
    #[error("must have 32 bytes or more")]
    TooShort,
    /// A pattern, a sequence, or a few repeated characters: an example that was never replaced.
    #[error(
        "must be random (openssl rand -base64 32 makes one); if this one is in use, take a new one and move this to \
         SOJOURN_PREVIOUS_SECRETS"
    )]
    Weak,
}

impl MasterSecret {
    /// Parses a secret in hexadecimal (any text of hexadecimal digits alone) or in base64 of either alphabet.
    pub fn parse(text: &str) -> Result<Self, MasterSecretError> {
        let secret = Self::parse_previous(text)?;
        if is_weak(&secret.0) { Err(MasterSecretError::Weak) } else { Ok(secret) }
    }

    /// Same as [`MasterSecret::parse`], but accepts a weak secret, because it is about to be replaced.
    pub fn parse_previous(text: &str) -> Result<Self, MasterSecretError> {
        let text = text.trim();
        let bytes = if text.len() >= 2 * SHORTEST_SECRET && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            hexadecimal(text)
        } else {
            [URL_SAFE_NO_PAD, URL_SAFE, STANDARD_NO_PAD, STANDARD].iter().find_map(|engine| engine.decode(text).ok())
        };
        let secret = Self(bytes.ok_or(MasterSecretError::Encoding)?);
        if secret.0.len() < SHORTEST_SECRET { Err(MasterSecretError::TooShort) } else { Ok(secret) }
    }

    /// Generates a secret of 32 random bytes.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut secret = Self(vec![0; SHORTEST_SECRET]);
        entropy.fill(&mut secret.0)?;
        Ok(secret)
    }

    /// The secret in base64, to be written to its file.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterSecret(…)")
    }
}

/// The id of a master secret, derived from it so that an operator can tell several apart. It reveals nothing of the
/// secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretId([u8; Self::BYTES]);

impl SecretId {
    pub(super) const BYTES: usize = 8;

    pub(super) fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Parses the form that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 2 * Self::BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| hexadecimal(text)).flatten()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Whether no random source can have made these bytes: they, or the steps between them, take few values, or one part is
/// repeated from beginning to end.
pub fn is_weak(bytes: &[u8]) -> bool {
    let different = bytes.iter().collect::<BTreeSet<_>>().len();
    let steps = bytes.windows(2).map(|pair| match pair {
        [one, next] => next.wrapping_sub(*one),
        _ => 0,
    });
    let is_repeated = |period: usize| bytes.iter().skip(period).eq(bytes.iter().take(bytes.len() - period));
    different < MIN_DIFFERENT_BYTES
        || steps.collect::<BTreeSet<_>>().len() < MIN_DIFFERENT_BYTES
        || (1..=bytes.len() / 2).any(is_repeated)
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::clock::SystemEntropy;

    fn written(bytes: &[u8]) -> String {
        let mut text = String::new();
        for byte in bytes {
            write!(text, "{byte:02x}").unwrap();
        }
        text
    }

    #[test]
    fn a_master_secret_is_read_from_hexadecimal_and_from_base64() {
        let secret = MasterSecret::generate(&SystemEntropy).unwrap();
        let hexadecimal = written(&secret.0).to_uppercase();
        assert_eq!(MasterSecret::parse(&hexadecimal).unwrap(), secret);
        assert_eq!(MasterSecret::parse(&format!("{}\n", secret.to_base64())).unwrap(), secret);
    }

    #[test]
    fn a_text_that_is_no_master_secret_is_refused() {
        assert_eq!(MasterSecret::parse("secret").unwrap_err(), MasterSecretError::Encoding);
        assert_eq!(MasterSecret::parse("c2hvcnQ=").unwrap_err(), MasterSecretError::TooShort);
        assert_eq!(
            MasterSecret::parse("not base64 at all, never mind how long it is!").unwrap_err(),
            MasterSecretError::Encoding
        );
    }

    #[test]
    fn a_weak_master_secret_is_refused_but_may_be_a_previous_one() {
        let weak = [
            "0".repeat(64),
            "0123456789abcdef".repeat(4),
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".to_owned(),
            STANDARD.encode("password".repeat(5)),
            STANDARD.encode("a password twice, a password twice, "),
            STANDARD.encode([[7; 31].as_slice(), &[8]].concat()),
            format!("{}B", "A".repeat(47)),
            "changeme".repeat(6),
        ];
        for text in weak {
            assert_eq!(MasterSecret::parse(&text).unwrap_err(), MasterSecretError::Weak, "{text}");
            assert!(MasterSecret::parse_previous(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn nothing_random_is_weak_however_it_is_written() {
        for _ in 0..2000 {
            let mut bytes = [0; 16];
            SystemEntropy.fill(&mut bytes).unwrap();
            let hexadecimal = written(&bytes);
            assert!(!is_weak(hexadecimal.as_bytes()), "{hexadecimal}");
            assert!(!is_weak(&MasterSecret::generate(&SystemEntropy).unwrap().0));
        }
    }

    #[test]
    fn the_id_of_a_secret_is_read_as_it_was_written() {
        let id = SecretId([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(id.to_string(), "00010203fcfdfeff");
        assert_eq!(SecretId::parse("00010203fcfdfeff"), Some(id));
        for text in ["", "00010203fcfdfef", "00010203fcfdfeff0", "0001020 fcfdfeff", "+1010203fcfdfeff"] {
            assert_eq!(SecretId::parse(text), None, "{text}");
        }
    }
}
