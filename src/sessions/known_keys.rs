//! The ids of all service keys, so that an invented key is refused without a look-up of its own.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::shared::Shared;
use crate::model::ServiceKeyId;
use crate::store;
use crate::tokens::StoredServiceKey;

/// The pause before the list is read again, so that it is read twenty times a second at most.
const PAUSE: Duration = Duration::from_millis(50);

/// The ids of all service keys that were ever made, as far as this process has heard of them. A key is never deleted.
pub(super) struct KnownKeys {
    ids: RwLock<HashSet<ServiceKeyId>>,
    list: Shared<store::Result<()>>,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self { ids: RwLock::default(), list: Shared::new(Duration::ZERO, PAUSE) }
    }
}

impl KnownKeys {
    /// Whether there is such a key, revoked and expired ones included. Those who ask for keys that are not known share a
    /// reading of the list by `read`.
    pub(super) async fn contain_or_read(
        &self,
        id: ServiceKeyId,
        read: impl AsyncFnOnce() -> store::Result<Vec<StoredServiceKey>>,
    ) -> store::Result<bool> {
        if self.contain(id) {
            return Ok(true);
        }
        let list = self.list.get(async || {
            let keys = read().await?;
            *self.ids.write().unwrap_or_else(PoisonError::into_inner) = keys.iter().map(|key| key.id).collect();
            Ok(())
        });
        list.await?;
        Ok(self.contain(id))
    }

    fn contain(&self, id: ServiceKeyId) -> bool {
        self.ids.read().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }
}
