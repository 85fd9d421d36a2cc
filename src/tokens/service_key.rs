//! Service keys: the credentials of programs. Shown once, stored as a hash.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::error::TokenError;
use super::keyring::{same, sha256};
use super::opaque;
use super::secret::Secret;
use crate::clock::{Entropy, EntropyUnavailable};
use crate::model::{Scope, ServiceKeyId};

pub(super) const PREFIX: &str = "sjk_";

/// The time before a key's expiry from which on its operator is warned.
const WARNING: TimeDelta = TimeDelta::days(30);

const VERSION: u8 = 1;
const SECRET_BYTES: usize = 32;
const BODY_CHARS: usize = ((1 + 16 + SECRET_BYTES) * 4usize).div_ceil(3);

/// A service key of the right form, as a client presents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceKey {
    /// The id that it claims.
    pub id: ServiceKeyId,
    secret_hash: [u8; 32],
}

/// A service key as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredServiceKey {
    /// The id.
    pub id: ServiceKeyId,
    /// The name for people.
    pub name: String,
    /// The rights.
    pub scope: Scope,
    /// SHA-256 of its secret part. The secret has 256 random bits, so a slow hash would add nothing.
    pub secret_hash: [u8; 32],
    /// The time of creation.
    pub created_at: DateTime<Utc>,
    /// The expiry; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The time of the revocation; `None`: not revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The client id of the application that the key is bound to; `None`: it is bound to none.
    pub application: Option<String>,
}

impl StoredServiceKey {
    /// Whether the key is valid at `now`.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the key is valid at `now` but expires soon enough for a warning.
    pub fn ends_soon(&self, now: DateTime<Utc>) -> bool {
        self.is_active(now) && is_soon(self.expires_at, now)
    }
}

/// A new key: the part to store, and the part to show once.
#[derive(Debug, Clone)]
pub struct NewServiceKey {
    /// The part to store.
    pub stored: StoredServiceKey,
    /// The part to show once.
    pub key: Secret,
}

impl ServiceKey {
    /// Generates a key with the given name, scope and expiry.
    pub fn generate(
        id: ServiceKeyId,
        name: String,
        scope: Scope,
        now: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        entropy: &dyn Entropy,
    ) -> Result<NewServiceKey, EntropyUnavailable> {
        let mut secret = [0; SECRET_BYTES];
        entropy.fill(&mut secret)?;
        let bytes = [[VERSION].as_slice(), id.0.as_bytes(), &secret].concat();
        let secret_hash = sha256(&secret);
        let (created_at, revoked_at, application) = (now, None, None);
        let stored = StoredServiceKey { id, name, scope, secret_hash, created_at, expires_at, revoked_at, application };
        Ok(NewServiceKey { stored, key: Secret::new(opaque::with_checksum(PREFIX, &bytes)) })
    }

    /// Parses the form of a key. [`ServiceKey::matches`] tells whether it is genuine.
    pub fn parse(token: &str) -> Result<Self, TokenError> {
        let bytes = opaque::without_checksum(PREFIX, BODY_CHARS, token)?;
        let [VERSION, rest @ ..] = bytes.as_slice() else { return Err(TokenError::Malformed) };
        let (id, secret) = rest.split_first_chunk::<16>().ok_or(TokenError::Malformed)?;
        Ok(Self { id: ServiceKeyId(Uuid::from_bytes(*id)), secret_hash: sha256(secret) })
    }

    /// Whether this is the stored key.
    pub fn matches(&self, stored: &StoredServiceKey) -> bool {
        self.id == stored.id && same(&self.secret_hash, &stored.secret_hash)
    }
}

fn is_soon(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    end.is_some_and(|end| end - now <= WARNING)
}

/// The operator's bootstrap key: a service key that is in no database.
#[derive(Debug, Clone)]
pub struct BootstrapKey {
    key: Secret,
    /// The expiry; `None`: never.
    pub until: Option<DateTime<Utc>>,
}

impl BootstrapKey {
    /// The bootstrap key `key`, which expires at `until`.
    pub fn new(key: Secret, until: Option<DateTime<Utc>>) -> Self {
        Self { key, until }
    }

    /// A text by which one key is told from the next, and that tells nothing of a key of 32 random characters: four bytes of its
    /// hash, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        let [a, b, c, d, ..] = sha256(self.key.expose().as_bytes());
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }

    /// Whether the key is valid at `now` but expires soon enough for a warning.
    pub fn ends_soon(&self, now: DateTime<Utc>) -> bool {
        self.is_active(now) && is_soon(self.until, now)
    }

    /// Whether the key is valid at `now`.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether `presented` is this key. The time of the comparison reveals only whether the lengths are equal.
    pub fn matches(&self, presented: &str) -> bool {
        same(presented.as_bytes(), self.key.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn key() -> NewServiceKey {
        let id = ServiceKeyId(Uuid::from_u128(7));
        ServiceKey::generate(id, "web".to_owned(), Scope::default(), DateTime::UNIX_EPOCH, None, &SystemEntropy)
            .unwrap()
    }

    #[test]
    fn a_key_matches_what_is_stored_of_it_and_no_other() {
        let one = key();
        let presented = ServiceKey::parse(one.key.expose()).unwrap();
        assert!(presented.matches(&one.stored));
        assert!(!presented.matches(&key().stored), "the same id with another secret");
    }

    #[test]
    fn neither_the_key_nor_its_secret_is_in_what_is_stored_or_printed() {
        let new = key();
        let printed = format!("{new:?}");
        assert!(!printed.contains(new.key.expose()));
    }

    #[test]
    fn a_key_stops_at_its_end_and_when_revoked() {
        let end = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1);
        let mut stored = key().stored;
        stored.expires_at = Some(end);
        assert!(stored.is_active(DateTime::UNIX_EPOCH));
        assert!(!stored.is_active(end));
        assert!(stored.ends_soon(DateTime::UNIX_EPOCH) && !stored.ends_soon(end));
        assert!(!stored.ends_soon(end - WARNING - TimeDelta::seconds(1)));
        stored.revoked_at = Some(DateTime::UNIX_EPOCH);
        assert!(!stored.is_active(DateTime::UNIX_EPOCH));
    }
}
