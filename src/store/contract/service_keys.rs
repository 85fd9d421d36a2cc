//! Service keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::ServiceKeyId;
use crate::tokens::StoredServiceKey;

/// Service keys.
#[async_trait]
pub trait ServiceKeyStore: Send + Sync {
    /// Keeps a new service key.
    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()>;

    /// The service key of that id, whatever its state. `None` when unknown.
    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>>;

    /// All service keys, newest first, revoked and expired ones too.
    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>>;

    /// Revokes a service key, and says whether there is one. A second call keeps the first one's time.
    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool>;
}
