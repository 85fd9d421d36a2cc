//! Failures of a store.

use std::sync::Arc;

/// The reason why a call failed. The absence of a row is an answer, not an error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is overloaded, or did not get a lock in time: a retry may succeed. Whether a
    /// write happened is unknown.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A search exceeded its time limit.
    #[error("the search took too long")]
    TooSlow,
    /// The database refused something that it never should: a defect of this server.
    #[error("the database refused")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn unavailable(why: &'static str) -> Self {
        Self::Unavailable(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why)))
    }
}

/// The result of a call to a store.
pub type Result<T> = std::result::Result<T, Error>;
