//! Failures of a store.

use std::sync::Arc;

/// Why a store did not do what it was asked. What is merely not there is no error but an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is overloaded, or could not take the lock: it may work in a moment.
    /// Whether a write was done is not known.
    #[error("the database is not available")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A search read for longer than allowed.
    #[error("the search took too long")]
    TooSlow,
    /// The database refused something that it never should: a defect of ours.
    #[error("the database refused")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn unavailable(why: &'static str) -> Self {
        Self::Unavailable(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why)))
    }
}

/// The answer of a store.
pub type Result<T> = std::result::Result<T, Error>;
