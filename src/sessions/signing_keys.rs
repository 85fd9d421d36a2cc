//! The signing keys: made when there are none, replaced when they are old.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use crate::clock::{Clock, Entropy};
use crate::model::{Algorithm, AuditEntry, FieldError};
use crate::store::{self, Store};
use crate::tokens::{Algorithms, KeySet, Keyring, PUBLICATION_LEAD, SealedSigningKey, SigningKeyError, WANTED_FOR};

/// Time between two notes that an algorithm is needed.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// The signing keys in the store: made when there are none, replaced when they are old.
pub struct SigningKeys {
    /// The store of the keys.
    pub store: Arc<dyn Store>,
    /// The keyring that seals them.
    pub keyring: Arc<Keyring>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The server's own algorithm, beside those that applications want.
    pub algorithm: Algorithm,
    /// Age at which a key gets a successor.
    pub age: TimeDelta,
    /// Held while keys are made, so that requests at once do not each make one.
    pub making: tokio::sync::Mutex<()>,
}

/// The reason why the signing keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store did not answer.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// The stored keys cannot be opened, or a new key could not be made.
    #[error("{0}")]
    Key(#[from] SigningKeyError),
    /// A rotation named an algorithm that nothing signs with.
    #[error("nothing is signed with {}", .0.as_str())]
    NotInUse(Algorithm),
}

impl From<KeysError> for Error {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => error.into(),
            KeysError::Key(error) => Self::Internal(error.into()),
            KeysError::NotInUse(_) => {
                FieldError::new("algorithm", "must be that of the server or of an application").into()
            }
        }
    }
}

impl SigningKeys {
    /// Opens the stored keys, and makes the first one when there is none. What a command wants, which may have been given
    /// other settings than the server.
    pub async fn open(&self) -> Result<KeySet, KeysError> {
        let (now, wanted) = (self.clock.now(), self.wanted().await?);
        let mut stored = self.store.signing_keys().await?;
        if stored.is_empty() {
            self.add(&stored, self.algorithm, now).await?;
            stored = self.store.signing_keys().await?;
        }
        Ok(KeySet::open(&stored, wanted, &self.keyring, now)?)
    }

    /// Opens the stored keys after the applications have changed, and makes the first key of each algorithm that one of
    /// them wants.
    pub async fn complete(&self) -> Result<KeySet, KeysError> {
        let (now, wanted) = (self.clock.now(), self.wanted().await?);
        let (stored, _) = self.add_due(&wanted.of_applications, now).await?;
        Ok(KeySet::open(&stored, wanted, &self.keyring, now)?)
    }

    /// Brings the stored keys up to date and opens them: makes the first one of each wanted algorithm, makes a successor
    /// when the newest is too old, forgets those that no living token needs, seals those anew that a former secret seals.
    pub async fn load(&self) -> Result<KeySet, KeysError> {
        let (now, wanted) = (self.clock.now(), self.wanted().await?);
        let algorithms: BTreeSet<Algorithm> = wanted.all().collect();
        let (stored, is_new) = self.add_due(&algorithms, now).await?;
        let keys = KeySet::open(&stored, wanted, &self.keyring, now)?;
        self.note_wanted(&stored, &keys, now).await?;
        if !is_new {
            self.forget_dead(&stored, &keys, now).await?;
            self.keep_secrets(&stored, now).await;
        }
        Ok(keys)
    }

    /// Makes a successor in each line that is in use, or in one, whatever the age of its newest key. Answers the new keys,
    /// the server's own first. They sign once they have been published for a while, or at once when the present keys are
    /// `compromised`; then those are forgotten, and their tokens with them. The entry comes with the first key.
    pub async fn rotate(
        &self,
        only: Option<Algorithm>,
        compromised: bool,
        entry: Option<&AuditEntry>,
    ) -> Result<Vec<SealedSigningKey>, KeysError> {
        let now = self.clock.now();
        let in_use = self.in_use(now).await?;
        let lines = match only {
            None => in_use,
            Some(algorithm) if in_use.contains(&algorithm) => vec![algorithm],
            Some(algorithm) => return Err(KeysError::NotInUse(algorithm)),
        };
        let active_from = if compromised { now } else { now + PUBLICATION_LEAD };
        let mut made = Vec::new();
        for algorithm in lines {
            // An entry that was added is not added again.
            made.push(self.add_successor(algorithm, now, active_from, entry).await?);
        }
        if compromised {
            self.forget_compromised(only, &made).await?;
        }
        Ok(made)
    }

    async fn add_successor(
        &self,
        algorithm: Algorithm,
        now: DateTime<Utc>,
        active_from: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<SealedSigningKey, KeysError> {
        loop {
            let key = self.generate(&self.store.signing_keys().await?, algorithm, now, active_from).await?;
            // Somebody else may rotate at the same moment: theirs is not the successor that was asked for here.
            if self.store.add_signing_key(&key, entry).await? {
                return Ok(key);
            }
        }
    }

    /// Forgets the predecessors of the keys that were made, and without a choice of a line those of lines out of use.
    async fn forget_compromised(&self, only: Option<Algorithm>, made: &[SealedSigningKey]) -> Result<(), KeysError> {
        for key in self.store.signing_keys().await? {
            let successor = made.iter().find(|made| made.algorithm == key.algorithm).or(made.first());
            let is_chosen = only.is_none_or(|only| only == key.algorithm);
            if is_chosen && successor.is_some_and(|successor| key.sequence < successor.sequence) {
                self.store.remove_signing_key(key.sequence).await?;
            }
        }
        Ok(())
    }

    /// The algorithms that the settings and the applications ask for.
    async fn wanted(&self) -> Result<Algorithms, KeysError> {
        let applications = self.store.applications().await?;
        let asked = applications.iter().filter_map(|application| application.settings.signing_algorithm);
        Ok(Algorithms { server: self.algorithm, of_applications: asked.collect() })
    }

    /// The algorithms that this process or another one signs with, each once. A command may have been given another one
    /// than the servers.
    async fn in_use(&self, now: DateTime<Utc>) -> Result<Vec<Algorithm>, KeysError> {
        let mut in_use: Vec<Algorithm> = self.wanted().await?.all().collect();
        for key in self.store.signing_keys().await? {
            let is_used = key.wanted_at.is_some_and(|at| at + WANTED_FOR > now);
            if is_used && !in_use.contains(&key.algorithm) {
                in_use.push(key.algorithm);
            }
        }
        Ok(in_use)
    }

    /// Makes the keys that are due in the lines of these algorithms. Answers the stored keys, and whether one was made.
    async fn add_due(
        &self,
        algorithms: &BTreeSet<Algorithm>,
        now: DateTime<Utc>,
    ) -> Result<(Vec<SealedSigningKey>, bool), KeysError> {
        let due = |stored: &[SealedSigningKey]| {
            algorithms.iter().copied().find(|algorithm| self.is_due(stored, *algorithm, now))
        };
        let stored = self.store.signing_keys().await?;
        if due(&stored).is_none() {
            return Ok((stored, false));
        }
        let _making = self.making.lock().await;
        loop {
            let stored = self.store.signing_keys().await?;
            let Some(algorithm) = due(&stored) else { return Ok((stored, true)) };
            self.add(&stored, algorithm, now).await?;
        }
    }

    /// Whether a line needs a new key. A newest key that does not sign yet is never replaced, so replicas whose settings
    /// or clocks differ do not fill the table.
    fn is_due(&self, stored: &[SealedSigningKey], algorithm: Algorithm, now: DateTime<Utc>) -> bool {
        let newest = stored.iter().rfind(|key| key.algorithm == algorithm);
        newest.is_none_or(|newest| newest.created_at + self.age <= now && newest.active_from <= now)
    }

    /// Adds a key to a line: the very first one signs at once, any other when verifiers know it. Another replica may be
    /// faster; then its key counts.
    async fn add(
        &self,
        stored: &[SealedSigningKey],
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<(), KeysError> {
        let active_from = if stored.is_empty() { now } else { now + PUBLICATION_LEAD };
        let key = self.generate(stored, algorithm, now, active_from).await?;
        if self.store.add_signing_key(&key, None).await? {
            tracing::info!(kid = key.kid, algorithm = key.algorithm.as_str(), active_from = %key.active_from, "signing key made");
        }
        Ok(())
    }

    /// Makes a key in a thread of its own: an RSA key takes a good part of a second, in which requests would wait.
    async fn generate(
        &self,
        stored: &[SealedSigningKey],
        algorithm: Algorithm,
        now: DateTime<Utc>,
        active_from: DateTime<Utc>,
    ) -> Result<SealedSigningKey, KeysError> {
        let sequence = stored.last().map_or(1, |newest| newest.sequence + 1);
        let (keyring, entropy) = (Arc::clone(&self.keyring), Arc::clone(&self.entropy));
        let generate =
            move || SealedSigningKey::generate(&keyring, algorithm, sequence, now, active_from, entropy.as_ref());
        let made = tokio::task::spawn_blocking(generate).await;
        Ok(made.map_err(|_| SigningKeyError::Generation)??)
    }

    /// Notes which algorithms this process signs with. One without a note counts as needed now: a process of a version
    /// that notes nothing may sign with it.
    async fn note_wanted(
        &self,
        stored: &[SealedSigningKey],
        keys: &KeySet,
        now: DateTime<Utc>,
    ) -> Result<(), KeysError> {
        let needed: BTreeSet<Algorithm> = keys.needed(now).collect();
        let mut due = BTreeSet::new();
        for algorithm in Algorithm::ALL {
            let mut line = stored.iter().filter(|key| key.algorithm == algorithm);
            let is_due = |key: &SealedSigningKey| match key.wanted_at {
                Some(at) => needed.contains(&algorithm) && at + NOTED_EVERY <= now,
                None => true,
            };
            if line.any(is_due) {
                due.insert(algorithm);
            }
        }
        for algorithm in due {
            self.store.note_wanted_algorithm(algorithm, now).await?;
        }
        Ok(())
    }

    async fn forget_dead(
        &self,
        stored: &[SealedSigningKey],
        keys: &KeySet,
        now: DateTime<Utc>,
    ) -> Result<(), KeysError> {
        for dead in stored.iter().filter(|key| !keys.has(&key.kid, now)) {
            self.store.remove_signing_key(dead.sequence).await?;
            tracing::info!(kid = dead.kid, algorithm = dead.algorithm.as_str(), "signing key forgotten");
        }
        Ok(())
    }
}
