//! Refresh tokens and session tokens: derived from their session, so that no table holds them.
//!
//! `prefix` + base64url(version, session id, number, authentication code) + checksum. The code's key is derived from the
//! master secret and the session id, so a stolen database forges nothing. The checksum (CRC-32 in hexadecimal) lets a
//! scanner tell a leaked token from noise, and lets us refuse noise before any cryptography.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::error::TokenError;
use super::keyring::Keyring;
use super::secret::Secret;
use crate::model::SessionId;

pub(super) const SESSION_PREFIX: &str = "sjs_";
pub(super) const REFRESH_PREFIX: &str = "sjr_";

const VERSION: u8 = 1;
const CODE_BYTES: usize = 32;
const CONTENT_BYTES: usize = 1 + 16 + 4;
const CHECKSUM_CHARS: usize = 8;
/// base64 of content and code, without padding.
const BODY_CHARS: usize = ((CONTENT_BYTES + CODE_BYTES) * 4).div_ceil(3);

/// The content of a derived token with a verified authentication code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Derived {
    /// The session that the token belongs to.
    pub session_id: SessionId,
    /// The session's refresh counter when the token was issued; for a session token, its least counter then.
    pub number: u32,
}

/// Refresh tokens. The counter tells a session's current token from the spent ones.
#[derive(Debug)]
pub struct RefreshToken;

/// Session tokens: one token for the whole life of a session, unless the user authenticates anew in it.
#[derive(Debug)]
pub struct SessionToken;

impl RefreshToken {
    /// The session's refresh token number `counter`, which is the same at every call.
    pub fn mint(keys: &Keyring, session_id: SessionId, counter: u32) -> Secret {
        mint(keys, REFRESH_PREFIX, Derived { session_id, number: counter })
    }

    /// Verifies a refresh token of ours.
    pub fn verify(keys: &Keyring, token: &str) -> Result<Derived, TokenError> {
        verify(keys, REFRESH_PREFIX, token)
    }
}

impl SessionToken {
    /// The session token of a session with that least counter, which is the same at every call.
    pub fn mint(keys: &Keyring, session_id: SessionId, least_counter: u32) -> Secret {
        mint(keys, SESSION_PREFIX, Derived { session_id, number: least_counter })
    }

    /// Verifies a session token of ours.
    pub fn verify(keys: &Keyring, token: &str) -> Result<Derived, TokenError> {
        verify(keys, SESSION_PREFIX, token)
    }
}

fn mint(keys: &Keyring, prefix: &str, derived: Derived) -> Secret {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(derived.session_id.as_uuid().as_bytes());
    bytes.extend_from_slice(&derived.number.to_be_bytes());
    if let Some(code) = keys.code(prefix.as_bytes(), derived.session_id.as_uuid().as_bytes(), &bytes) {
        bytes.extend_from_slice(code.as_ref());
    }
    Secret::new(with_checksum(prefix, &bytes))
}

fn verify(keys: &Keyring, prefix: &str, token: &str) -> Result<Derived, TokenError> {
    let bytes = without_checksum(prefix, BODY_CHARS, token)?;
    let (content, code) = bytes.split_first_chunk::<CONTENT_BYTES>().ok_or(TokenError::Malformed)?;
    let [version, fields @ ..] = content;
    let (id, number) = fields.split_first_chunk::<16>().ok_or(TokenError::Malformed)?;
    let number = number.first_chunk::<4>().ok_or(TokenError::Malformed)?;
    if *version != VERSION {
        return Err(TokenError::Malformed);
    }
    if !keys.code_matches(prefix.as_bytes(), id, content, code) {
        return Err(TokenError::Forged);
    }
    Ok(Derived { session_id: SessionId::from_uuid(Uuid::from_bytes(*id)), number: u32::from_be_bytes(*number) })
}

/// Encodes `bytes` as one of our opaque tokens.
pub(super) fn with_checksum(prefix: &str, bytes: &[u8]) -> String {
    let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
    let checksum = crc32fast::hash(text.as_bytes());
    format!("{text}{checksum:08x}")
}

/// Decodes the bytes of an opaque token with a base64 part of exactly `body_chars` characters.
pub(super) fn without_checksum(prefix: &str, body_chars: usize, token: &str) -> Result<Vec<u8>, TokenError> {
    if token.len() != prefix.len() + body_chars + CHECKSUM_CHARS || !token.is_ascii() {
        return Err(TokenError::Malformed);
    }
    let (text, checksum) = token.split_at(prefix.len() + body_chars);
    if checksum != format!("{:08x}", crc32fast::hash(text.as_bytes())) {
        return Err(TokenError::Checksum);
    }
    let body = text.strip_prefix(prefix).ok_or(TokenError::Malformed)?;
    URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::tokens::master_secret::MasterSecret;

    fn keys() -> Keyring {
        Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap())
    }

    fn id() -> SessionId {
        SessionId::from_uuid(Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001))
    }

    #[test]
    fn a_derived_token_says_its_session_and_number_and_is_the_same_every_time() {
        let keys = keys();
        let token = RefreshToken::mint(&keys, id(), 7);
        assert_eq!(token, RefreshToken::mint(&keys, id(), 7));
        assert_eq!(RefreshToken::verify(&keys, token.expose()), Ok(Derived { session_id: id(), number: 7 }));
    }

    #[test]
    fn no_kind_of_token_passes_for_another() {
        let keys = keys();
        let session = SessionToken::mint(&keys, id(), 0);
        assert!(RefreshToken::verify(&keys, session.expose()).is_err());
        let body = &session.expose()[4..session.expose().len() - 8];
        let bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
        let disguised = with_checksum(REFRESH_PREFIX, &bytes);
        assert_eq!(RefreshToken::verify(&keys, &disguised), Err(TokenError::Forged));
    }

    #[test]
    fn another_secret_makes_another_token() {
        let token = SessionToken::mint(&keys(), id(), 0);
        assert_eq!(SessionToken::verify(&keys(), token.expose()), Err(TokenError::Forged));
    }

    #[test]
    fn no_changed_character_and_no_cut_passes() {
        let keys = keys();
        let token = RefreshToken::mint(&keys, id(), 1);
        let token = token.expose();
        for index in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(RefreshToken::verify(&keys, &changed).is_err(), "character {index}");
            assert!(RefreshToken::verify(&keys, &token[..index]).is_err(), "cut at {index}");
        }
        for padded in [format!("{token}="), format!("{token} "), format!("\n{token}"), format!("{token}\u{0}")] {
            assert!(RefreshToken::verify(&keys, &padded).is_err());
        }
    }

    #[test]
    fn a_right_checksum_on_a_changed_body_does_not_help() {
        let keys = keys();
        let token = RefreshToken::mint(&keys, id(), 1);
        let mut bytes = URL_SAFE_NO_PAD.decode(&token.expose()[4..token.expose().len() - 8]).unwrap();
        bytes[20] ^= 1;
        assert_eq!(RefreshToken::verify(&keys, &with_checksum(REFRESH_PREFIX, &bytes)), Err(TokenError::Forged));
    }

    #[test]
    fn a_token_prints_nothing() {
        assert_eq!(format!("{:?}", SessionToken::mint(&keys(), id(), 0)), "Secret(…)");
    }
}
