//! Signing keys.

use async_trait::async_trait;

use super::error::Result;
use crate::tokens::SealedSigningKey;

/// Sealed signing keys.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// All signing keys, by sequence, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>>;

    /// Keeps a new signing key, and says whether it was the first of its sequence number. When not, nothing is written:
    /// another replica was faster.
    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool>;

    /// Forgets the signing keys before `sequence`.
    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()>;
}
