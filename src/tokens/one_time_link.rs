//! One-time links: random text that opens a page once. Shown once, stored as a hash.

use std::fmt;

use super::error::TokenError;
use super::keyring::sha256;
use super::opaque;
use super::secret::Secret;
use crate::clock::{Entropy, EntropyUnavailable};

pub(super) const PREFIX: &str = "sjl_";

const VERSION: u8 = 1;
const SECRET_BYTES: usize = 32;
const BODY_CHARS: usize = ((1 + SECRET_BYTES) * 4usize).div_ceil(3);

/// The text of a one-time link, which is all that its bearer needs. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct LinkText {
    text: Secret,
    hash: [u8; 32],
}

impl LinkText {
    /// Generates the text of a new link.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut secret = [0; SECRET_BYTES];
        entropy.fill(&mut secret)?;
        let bytes = [[VERSION].as_slice(), &secret].concat();
        Ok(Self { text: Secret::new(opaque::with_checksum(PREFIX, &bytes)), hash: sha256(&secret) })
    }

    /// Parses the form. Only the store knows whether there is such a link.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let bytes = opaque::without_checksum(PREFIX, BODY_CHARS, text)?;
        let [VERSION, secret @ ..] = bytes.as_slice() else { return Err(TokenError::Malformed) };
        Ok(Self { text: Secret::new(text.to_owned()), hash: sha256(secret) })
    }

    /// The text itself: for the answer that hands it out, and for the form that takes the link.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// SHA-256 of the secret part, which is what is stored. The secret has 256 random bits, so a slow hash would add
    /// nothing.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

impl fmt::Debug for LinkText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LinkText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::tokens::Form;

    #[test]
    fn a_link_is_read_as_it_was_made_and_no_two_are_alike() {
        let link = LinkText::generate(&SystemEntropy).unwrap();
        assert_eq!(LinkText::parse(link.expose()).unwrap().hash(), link.hash());
        assert_ne!(LinkText::generate(&SystemEntropy).unwrap().hash(), link.hash());
    }

    #[test]
    fn nothing_of_a_link_is_printed() {
        let link = LinkText::generate(&SystemEntropy).unwrap();
        assert_eq!(format!("{link:?}"), "LinkText(…)");
    }

    #[test]
    fn no_changed_character_and_no_cut_is_a_link() {
        let link = LinkText::generate(&SystemEntropy).unwrap();
        let text = link.expose();
        for index in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(LinkText::parse(&changed).is_err(), "character {index}");
            assert!(LinkText::parse(&text[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn a_link_is_no_credential_and_the_log_knows_its_prefix() {
        let link = LinkText::generate(&SystemEntropy).unwrap();
        assert_eq!(Form::of(link.expose()), Form::AccessToken, "the form of whatever is no token of ours");
        assert!(Form::PREFIXES.contains(&PREFIX));
    }
}
