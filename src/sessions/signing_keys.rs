//! The signing keys: made when there are none, replaced when they are old.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use crate::clock::{Clock, Entropy};
use crate::store::{self, Store};
use crate::tokens::{Algorithm, KeySet, Keyring, PUBLICATION_LEAD, SealedSigningKey, SigningKeyError, last_token_dead};

/// The signing keys in the store: made when there are none, replaced when they are old.
pub struct SigningKeys {
    /// The store of the keys.
    pub store: Arc<dyn Store>,
    /// The keyring that seals them.
    pub keyring: Keyring,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The algorithm of new keys.
    pub algorithm: Algorithm,
    /// Age at which a key gets a successor.
    pub age: TimeDelta,
}

/// Why the signing keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store did not answer.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// The stored keys cannot be opened, or a new key could not be made.
    #[error("{0}")]
    Key(#[from] SigningKeyError),
}

impl From<KeysError> for Error {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => error.into(),
            KeysError::Key(error) => Self::Internal(error.into()),
        }
    }
}

impl SigningKeys {
    /// Opens the stored keys, and makes the first one when there is none. What a command wants, which may have been given
    /// other settings than the server.
    pub async fn open(&self) -> Result<KeySet, KeysError> {
        let now = self.clock.now();
        let mut stored = self.store.signing_keys().await?;
        if stored.is_empty() {
            self.add(1, now, now).await?;
            stored = self.store.signing_keys().await?;
        }
        Ok(KeySet::open(&stored, &self.keyring)?)
    }

    /// Brings the stored keys up to date and opens them: makes the first one, makes a successor when the newest is too
    /// old or of another algorithm, forgets those that no living token needs, seals those anew that a former secret seals.
    pub async fn load(&self) -> Result<KeySet, KeysError> {
        let now = self.clock.now();
        let mut stored = self.store.signing_keys().await?;
        match stored.last() {
            None => self.add(1, now, now).await?,
            Some(newest) if self.is_due(newest, now) => {
                self.add(newest.sequence + 1, now, now + PUBLICATION_LEAD).await?;
            }
            Some(_) => {
                self.forget_dead(&stored, now).await?;
                let keys = KeySet::open(&stored, &self.keyring)?;
                self.keep_secrets(&stored, now).await;
                return Ok(keys);
            }
        }
        stored = self.store.signing_keys().await?;
        Ok(KeySet::open(&stored, &self.keyring)?)
    }

    /// Makes a successor now, whatever the age of the newest key. It signs once it has been published for a while, or at
    /// once when the present keys are `compromised`; then those are forgotten, and their tokens with them.
    pub async fn rotate(&self, compromised: bool) -> Result<SealedSigningKey, KeysError> {
        let now = self.clock.now();
        let active_from = if compromised { now } else { now + PUBLICATION_LEAD };
        loop {
            let sequence = self.store.signing_keys().await?.last().map_or(1, |newest| newest.sequence + 1);
            let key = self.generate(sequence, now, active_from)?;
            // Somebody else may rotate at the same moment: theirs is not the successor that was asked for here.
            if !self.store.add_signing_key(&key).await? {
                continue;
            }
            if compromised {
                self.store.remove_signing_keys_before(sequence).await?;
            }
            return Ok(key);
        }
    }

    /// A newest key that does not sign yet is never replaced, so replicas that were told different algorithms take turns
    /// slowly instead of filling the table.
    fn is_due(&self, newest: &SealedSigningKey, now: DateTime<Utc>) -> bool {
        let replaceable = newest.created_at + self.age <= now || newest.algorithm != self.algorithm;
        replaceable && newest.active_from <= now
    }

    /// Another replica may be faster; then its key counts.
    async fn add(&self, sequence: i64, now: DateTime<Utc>, active_from: DateTime<Utc>) -> Result<(), KeysError> {
        let key = self.generate(sequence, now, active_from)?;
        if self.store.add_signing_key(&key).await? {
            tracing::info!(kid = key.kid, algorithm = key.algorithm.as_str(), active_from = %key.active_from, "signing key made");
        }
        Ok(())
    }

    fn generate(
        &self,
        sequence: i64,
        now: DateTime<Utc>,
        active_from: DateTime<Utc>,
    ) -> Result<SealedSigningKey, KeysError> {
        let entropy = self.entropy.as_ref();
        Ok(SealedSigningKey::generate(&self.keyring, self.algorithm, sequence, now, active_from, entropy)?)
    }

    async fn forget_dead(&self, stored: &[SealedSigningKey], now: DateTime<Utc>) -> Result<(), KeysError> {
        let outlived_all_before = |key: &&SealedSigningKey| last_token_dead(key.active_from) <= now;
        if let Some(oldest_needed) = stored.iter().rev().find(outlived_all_before)
            && stored.first().is_some_and(|oldest| oldest.sequence < oldest_needed.sequence)
        {
            self.store.remove_signing_keys_before(oldest_needed.sequence).await?;
        }
        Ok(())
    }
}
