//! The audit trail.

use async_trait::async_trait;

use super::error::Result;
use crate::model::{AuditEntry, AuditSearch, StoredAuditEntry};

/// The audit trail. A method that changes something takes the entry of the change, and adds it in its own transaction if
/// it changed anything.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds an entry of an action that changes no other row. One that is there already, by its id, stays as it is.
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<()>;

    /// One page of the trail: at most `limit` entries that match the filter, newest first, after the position. Fails with
    /// [`Error::TooSlow`](super::Error::TooSlow) instead of reading for seconds.
    async fn search_audit(&self, search: AuditSearch<'_>) -> Result<Vec<StoredAuditEntry>>;
}
