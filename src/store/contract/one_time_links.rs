//! One-time links.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::Result;
use crate::model::{LinkPurpose, OneTimeLink};

/// One-time links, by the hashes of their texts. An expired one stays until it is
/// [stale](crate::model::Stale::OneTimeLinks); a user's go when the user is deleted or erased.
#[async_trait]
pub trait OneTimeLinkStore: Send + Sync {
    /// Adds a link.
    async fn put_one_time_link(&self, hash: &[u8; 32], link: &OneTimeLink) -> Result<()>;

    /// Takes a link of that purpose away, if it has not expired at `now`, and answers it. Of several calls at once one
    /// gets it. `None` for all others, and when there is no such link; an expired one, or one of another purpose, is left
    /// as it is.
    async fn take_one_time_link(
        &self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<OneTimeLink>>;

    /// The link of that purpose, if it has not expired at `now`. It stays.
    async fn find_one_time_link(
        &self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<OneTimeLink>>;
}
