//! The keys that sign access tokens, together: each is published before its first signature, and until the last token that it
//! signed has expired.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;

use super::keyring::Keyring;
use super::lifetime::MAX_ACCESS_TOKEN_LIFETIME;
use super::signing::{SealedSigningKey, SigningKey, SigningKeyError};
use crate::model::Algorithm;

/// The time between the publication of a key and its first signature: longer than verifiers may cache the key set (5
/// minutes).
pub const PUBLICATION_LEAD: TimeDelta = TimeDelta::minutes(10);
/// A line of keys that was noted as needed at an instant may sign until then: longer than two notes are apart.
pub const WANTED_FOR: TimeDelta = TimeDelta::minutes(2);

/// There is no key to sign with.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("there is no signing key")]
pub struct NoSigningKey;

/// A key that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInUse {
    /// The key's name in token headers.
    pub kid: String,
    /// The signature algorithm.
    pub algorithm: Algorithm,
    /// The time from which on the key signs.
    pub since: DateTime<Utc>,
}

/// The algorithms that keys are needed for: each has a line of keys, in which a key is replaced by its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    /// The server's own.
    pub server: Algorithm,
    /// The algorithms of applications.
    pub of_applications: BTreeSet<Algorithm>,
}

impl Algorithms {
    /// Every algorithm once, the server's first.
    pub fn all(&self) -> impl Iterator<Item = Algorithm> {
        let others = self.of_applications.iter().copied().filter(|algorithm| *algorithm != self.server);
        std::iter::once(self.server).chain(others)
    }
}

/// All current signing keys, opened.
pub struct KeySet {
    /// The keys by sequence, oldest first.
    keys: Vec<SigningKey>,
    algorithms: Algorithms,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.keys.iter().map(|key| &key.kid)).finish()
    }
}

impl KeySet {
    /// Opens stored keys, oldest first, as they are at `now`. Fails when one was sealed with another master secret.
    pub fn open(
        sealed: &[SealedSigningKey],
        algorithms: Algorithms,
        keys: &Keyring,
        now: DateTime<Utc>,
    ) -> Result<Self, SigningKeyError> {
        let opened = sealed.iter().map(|key| key.open(keys)).collect::<Result<Vec<_>, _>>()?;
        let mut set = Self { keys: opened, algorithms };
        let needed: BTreeSet<Algorithm> = set.needed(now).collect();
        for (at, (key, stored)) in set.keys.iter_mut().zip(sealed).enumerate() {
            let successor = sealed.iter().skip(at + 1).find(|later| later.algorithm == stored.algorithm);
            key.dead_from = match successor {
                Some(successor) => Some(last_token_dead(successor.active_from)),
                None if needed.contains(&stored.algorithm) => None,
                None => stored.wanted_at.map(|at| last_token_dead(at + WANTED_FOR)),
            };
        }
        Ok(set)
    }

    /// The algorithms that this server signs with at `now`: those that are asked for, and the one that stands in for a
    /// line whose first key does not sign yet.
    pub fn needed(&self, now: DateTime<Utc>) -> impl Iterator<Item = Algorithm> {
        let stand_in = self.signing(None, now).ok().map(|key| key.algorithm);
        self.algorithms.all().chain(stand_in)
    }

    /// The key that signs at `now`: the newest of this algorithm that is active, `None` for the server's algorithm. The
    /// server's stands in for an algorithm without an active key, and for the server's the former one, which no
    /// application asks for. If no key is active yet, because clocks differ, the oldest signs: signing early harms
    /// nobody, not signing would.
    pub(super) fn signing(
        &self,
        algorithm: Option<Algorithm>,
        now: DateTime<Utc>,
    ) -> Result<&SigningKey, NoSigningKey> {
        let active = || self.keys.iter().rev().filter(|key| key.active_from <= now);
        let of = |algorithm: Algorithm| active().find(|key| key.algorithm == algorithm);
        let former = || active().find(|key| !self.algorithms.of_applications.contains(&key.algorithm));
        let found = algorithm.and_then(of).or_else(|| of(self.algorithms.server)).or_else(former);
        found.or_else(|| active().next()).or(self.keys.first()).ok_or(NoSigningKey)
    }

    /// The key of that name, unless every token that it signed has expired.
    pub(super) fn find(&self, kid: &str, now: DateTime<Utc>) -> Option<&SigningKey> {
        self.alive(now).find(|key| key.kid == kid)
    }

    /// Whether a token of the key of that name may be valid at `now`.
    pub fn has(&self, kid: &str, now: DateTime<Utc>) -> bool {
        self.find(kid, now).is_some()
    }

    /// The public keys as a JSON Web Key Set (RFC 7517 section 5), future keys included.
    pub fn published(&self, now: DateTime<Utc>) -> JwkSet {
        JwkSet { keys: self.alive(now).map(|key| key.public.clone()).collect() }
    }

    fn alive(&self, now: DateTime<Utc>) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter().filter(move |key| key.dead_from.is_none_or(|dead| now < dead))
    }
}

/// The time by which the last token of a key has expired, when it signs until `signs_until`. Replicas may sign with the key
/// for a moment longer, hence the extra minute.
fn last_token_dead(signs_until: DateTime<Utc>) -> DateTime<Utc> {
    signs_until + MAX_ACCESS_TOKEN_LIFETIME + TimeDelta::minutes(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::tokens::master_secret::MasterSecret;

    fn keyring() -> Keyring {
        Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap())
    }

    fn key(keys: &Keyring, sequence: i64, active_from: DateTime<Utc>) -> SealedSigningKey {
        key_of(keys, Algorithm::EdDsa, sequence, active_from)
    }

    fn key_of(keys: &Keyring, algorithm: Algorithm, sequence: i64, active_from: DateTime<Utc>) -> SealedSigningKey {
        let made = active_from - PUBLICATION_LEAD;
        SealedSigningKey::generate(keys, algorithm, sequence, made, active_from, &SystemEntropy).unwrap()
    }

    fn open(sealed: &[SealedSigningKey], keys: &Keyring) -> Result<KeySet, SigningKeyError> {
        open_for(Algorithm::EdDsa, &[], sealed, keys, DateTime::UNIX_EPOCH)
    }

    fn open_for(
        server: Algorithm,
        of_applications: &[Algorithm],
        sealed: &[SealedSigningKey],
        keys: &Keyring,
        now: DateTime<Utc>,
    ) -> Result<KeySet, SigningKeyError> {
        let algorithms = Algorithms { server, of_applications: of_applications.iter().copied().collect() };
        KeySet::open(sealed, algorithms, keys, now)
    }

    #[test]
    fn a_successor_is_published_before_it_signs_and_its_predecessor_until_its_tokens_are_dead() {
        let keys = keyring();
        let start = DateTime::UNIX_EPOCH;
        let turn = start + TimeDelta::days(90);
        let set = open(&[key(&keys, 1, start), key(&keys, 2, turn)], &keys).unwrap();
        let (old, new) = (set.keys[0].kid.clone(), set.keys[1].kid.clone());

        let before = turn - TimeDelta::seconds(1);
        assert_eq!(set.signing(None, before).unwrap().kid, old);
        assert_eq!(set.published(before).keys.len(), 2);
        assert_eq!(set.signing(None, turn).unwrap().kid, new);
        let last = last_token_dead(turn);
        assert!(set.find(&old, last - TimeDelta::seconds(1)).is_some());
        assert!(set.find(&old, last).is_none());
        assert_eq!(set.published(last).keys.len(), 1);
    }

    #[test]
    fn each_algorithm_has_a_line_of_its_own() {
        let keys = keyring();
        let start = DateTime::UNIX_EPOCH;
        let turn = start + TimeDelta::days(1);
        let sealed = [key(&keys, 1, start), key_of(&keys, Algorithm::Es256, 2, turn)];
        let set = open_for(Algorithm::EdDsa, &[Algorithm::Es256], &sealed, &keys, turn).unwrap();
        let algorithm = |asked, now| set.signing(asked, now).unwrap().algorithm;
        let before = turn - TimeDelta::seconds(1);
        assert_eq!(algorithm(Some(Algorithm::Es256), before), Algorithm::EdDsa, "published, not yet used");
        assert_eq!(algorithm(Some(Algorithm::Es256), turn), Algorithm::Es256);
        assert_eq!(algorithm(None, turn), Algorithm::EdDsa, "a key of another line is no successor");
        assert_eq!(algorithm(Some(Algorithm::Rs256), turn), Algorithm::EdDsa, "the server's stands in");
        assert_eq!(set.published(turn + TimeDelta::days(1000)).keys.len(), 2, "both are in use");
    }

    #[test]
    fn a_former_algorithm_stands_in_and_is_published_until_its_last_token_is_dead() {
        let keys = keyring();
        let start = DateTime::UNIX_EPOCH;
        let turn = start + TimeDelta::days(1);
        let mut former = key(&keys, 1, start);
        former.wanted_at = Some(start);
        let of_application = key_of(&keys, Algorithm::Rs256, 2, start);
        let sealed = [former.clone(), of_application, key_of(&keys, Algorithm::Es256, 3, turn)];
        let asked = [Algorithm::Rs256];
        let before = turn - TimeDelta::seconds(1);
        let set = open_for(Algorithm::Es256, &asked, &sealed, &keys, before).unwrap();
        assert_eq!(set.signing(None, before).unwrap().kid, former.kid);
        assert!(set.has(&former.kid, before), "what signs is published, however old its note");

        let mut sealed = sealed;
        sealed[0].wanted_at = Some(before);
        let set = open_for(Algorithm::Es256, &asked, &sealed, &keys, turn).unwrap();
        let last = last_token_dead(before + WANTED_FOR);
        assert!(set.has(&former.kid, last - TimeDelta::seconds(1)) && !set.has(&former.kid, last));
        assert_eq!(set.published(last).keys.len(), 2);
    }

    #[test]
    fn keys_sealed_with_another_secret_do_not_open() {
        let sealed = key(&keyring(), 1, DateTime::UNIX_EPOCH);
        assert!(matches!(open(&[sealed], &keyring()), Err(SigningKeyError::WrongSecret)));
    }
}
