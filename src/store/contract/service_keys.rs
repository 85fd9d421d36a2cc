//! Service keys.

use async_trait::async_trait;

use super::end::EndedAtOnce;
use super::error::Result;
use crate::model::{AuditEntry, Ended, ServiceKeyId, UserId};
use crate::tokens::StoredServiceKey;

/// Service keys: they are stored, read and revoked.
#[async_trait]
pub trait ServiceKeyStore: Send + Sync {
    /// Stores a new service key.
    async fn add_service_key(&self, key: &StoredServiceKey, entry: Option<&AuditEntry>) -> Result<()>;

    /// The service key with this id, whatever its state. `None` when unknown.
    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>>;

    /// All service keys, newest first, revoked and expired ones too.
    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>>;

    /// Revokes a service key and ends the sessions of the user `staff`. A second call keeps the time of the first, and leaves no
    /// entry. `None` for an unknown key.
    async fn revoke_service_key(
        &self,
        id: ServiceKeyId,
        staff: &UserId,
        ended: Ended,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndedAtOnce>>;
}
