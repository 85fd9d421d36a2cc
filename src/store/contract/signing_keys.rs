//! Signing keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{Algorithm, AuditEntry};
use crate::tokens::SealedSigningKey;

/// Signing keys, sealed by a master secret.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// All signing keys, by sequence, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>>;

    /// Stores a new signing key, and answers whether it was the first with its sequence number. Otherwise nothing is
    /// written: another replica was faster.
    async fn add_signing_key(&self, key: &SealedSigningKey, entry: Option<&AuditEntry>) -> Result<bool>;

    /// Deletes the signing key with that sequence number, if there is one.
    async fn remove_signing_key(&self, sequence: i64) -> Result<()>;

    /// Records that keys of the algorithm are needed at `now`. Only the latest time is kept.
    async fn note_wanted_algorithm(&self, algorithm: Algorithm, now: DateTime<Utc>) -> Result<()>;
}
