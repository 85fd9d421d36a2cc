//! Searches and lists.

use async_trait::async_trait;

use super::error::Result;
use crate::model::{Listing, Search, Session};

/// Searches and lists, which may read long.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// One page of a search: at most `limit` sessions of `owner` that meet the filter, in order, after the position.
    /// Answers [`Error::TooSlow`](super::error::Error::TooSlow) rather than read for seconds. The answer
    /// may be ten seconds old where the search allows it.
    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>>;

    /// Number of sessions that a search finds from its beginning, counted up to its limit, as of now. Answers
    /// [`Error::TooSlow`](super::error::Error::TooSlow) rather than read for seconds.
    async fn count_sessions(&self, search: Search<'_>) -> Result<u32>;

    /// One page of a list of anybody's sessions, and how many there are in all of it, counted up to `count_to` where that
    /// is asked for. Answers [`Error::TooSlow`](super::error::Error::TooSlow) rather than read for
    /// seconds. The answer may be ten seconds old.
    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)>;
}
