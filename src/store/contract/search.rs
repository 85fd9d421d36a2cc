//! Searches and lists.

use async_trait::async_trait;

use super::error::Result;
use crate::model::{ClientCount, Listing, Search, Session, User, UserSearch};

/// Searches, counts and lists of sessions.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// One page of a search: at most `limit` sessions of `owner` that match the filter, in order, after the position.
    /// Fails with [`Error::TooSlow`](super::Error::TooSlow) instead of reading for seconds. The answer may be ten
    /// seconds old where the search allows it.
    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>>;

    /// The number of sessions that a search finds from its beginning, counted up to its limit, as of now. Fails with
    /// [`Error::TooSlow`](super::Error::TooSlow) instead of reading for seconds.
    async fn count_sessions(&self, search: Search<'_>) -> Result<u32>;

    /// The number of sessions that a search finds, by application, the largest first. Beyond its limit no more are counted,
    /// whichever they are. Fails with [`Error::TooSlow`](super::Error::TooSlow) instead of reading for seconds.
    async fn count_sessions_by_client(&self, search: Search<'_>) -> Result<Vec<ClientCount>>;

    /// One page of a search for users, in the order of their ids. Fails with
    /// [`Error::TooSlow`](super::Error::TooSlow) instead of reading for seconds. The answer may be ten seconds old where
    /// the search allows it.
    async fn search_users(&self, search: UserSearch<'_>) -> Result<Vec<User>>;

    /// One page of a list over all users, and the total where `count_to` asks for it, counted up to `count_to`. Fails
    /// with [`Error::TooSlow`](super::Error::TooSlow) instead of reading for seconds. The answer may be ten seconds
    /// old.
    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)>;
}
