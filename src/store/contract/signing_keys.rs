//! Signing keys.

use async_trait::async_trait;

use super::error::Result;
use crate::tokens::SealedSigningKey;

/// Signing keys, sealed by a master secret.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// All signing keys, by sequence, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>>;

    /// Stores a new signing key, and answers whether it was the first with its sequence number. Otherwise nothing is
    /// written: another replica was faster.
    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool>;

    /// Deletes the signing keys before `sequence`.
    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()>;
}
