//! Health and end of a store.

use async_trait::async_trait;

use super::error::Result;

/// Connections to the database that serve one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Their purpose, in one word.
    pub name: &'static str,
    /// Connections that run a statement.
    pub in_use: usize,
    /// Connections that are ready for one.
    pub idle: usize,
}

/// Health and shutdown of a store.
#[async_trait]
pub trait StoreLifecycle: Send + Sync {
    /// Asks the database whether it has the tables of this version.
    async fn ping(&self) -> Result<bool>;

    /// The connections as they are now.
    fn pools(&self) -> Vec<Pool>;

    /// Closes all connections, after what runs on them.
    async fn close(&self);
}
