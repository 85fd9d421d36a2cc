//! Health and shutdown of a store.

use async_trait::async_trait;

use super::error::Result;
use crate::model::{DatabaseKind, DatabaseStatus};

/// Connections to the database that serve one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The purpose of the connections, in one word.
    pub name: &'static str,
    /// Connections that run a statement.
    pub in_use: usize,
    /// Connections that are ready for one.
    pub idle: usize,
}

/// Health, connections and shutdown of a store.
#[async_trait]
pub trait StoreLifecycle: Send + Sync {
    /// Asks the database whether it has the tables of this version.
    async fn ping(&self) -> Result<bool>;

    /// The kind of the database, which no question is needed for.
    fn kind(&self) -> DatabaseKind;

    /// The database's version and its newest migration. Fails soon where the database does not answer.
    async fn database_status(&self) -> Result<DatabaseStatus>;

    /// The connection pools as they are now.
    fn pools(&self) -> Vec<Pool>;

    /// Closes all connections, each once its statement is done.
    async fn close(&self);
}
