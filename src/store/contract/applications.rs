//! Applications.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{Application, AuditEntry};

/// Applications. There are few of them: each replica keeps all in memory.
#[async_trait]
pub trait ApplicationStore: Send + Sync {
    /// All applications, in the order of their ids.
    async fn applications(&self) -> Result<Vec<Application>>;

    /// Adds an application, unless there is one of that id, and answers whether it was added.
    async fn add_application(&self, application: &Application, entry: Option<&AuditEntry>) -> Result<bool>;

    /// Replaces the settings of an application that was last changed at `seen`. Answers whether there is one.
    async fn change_application(
        &self,
        application: &Application,
        seen: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<bool>;

    /// Deletes an application and answers whether there was one. Its sessions, and the keys bound to it, stay.
    async fn delete_application(&self, id: &str, entry: Option<&AuditEntry>) -> Result<bool>;
}
