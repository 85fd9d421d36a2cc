//! Master secrets as a store knows them: their ids and when they were used, never the secrets themselves.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::tokens::{SealedSigningKey, SecretId};

/// A master secret that some process has made tokens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedSecret {
    /// The id, which reveals nothing of the secret.
    pub id: SecretId,
    /// The latest recorded use.
    pub last_used_at: DateTime<Utc>,
}

/// The active sessions that were opened up to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionsOpened {
    /// Number of sessions.
    pub count: u64,
    /// The latest absolute end of any of them; `None` when there are none.
    pub last_end: Option<DateTime<Utc>>,
}

/// Use of master secrets, and the steps of their rotation.
#[async_trait]
pub trait MasterSecretStore: Send + Sync {
    /// Records that tokens are made with a secret at `now`. Only the latest use is kept.
    async fn note_use_of_secret(&self, id: SecretId, now: DateTime<Utc>) -> Result<()>;

    /// The secrets with a recorded use, in the order of their ids.
    async fn used_secrets(&self) -> Result<Vec<UsedSecret>>;

    /// Replaces the sealed form of a signing key, and answers whether it was still sealed as in `key`. Otherwise
    /// nothing is written: another replica was faster.
    async fn replace_seal(&self, key: &SealedSigningKey, sealed: &[u8]) -> Result<bool>;

    /// The sessions active at `now` that were opened at `until` or before. Fails with
    /// [`Error::TooSlow`](super::Error::TooSlow) when there are too many to count.
    async fn sessions_opened_until(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<SessionsOpened>;
}
