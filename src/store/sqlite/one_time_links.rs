//! One-time links.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::failure::failure;
use super::rows;
use super::store::SqliteStore;
use crate::model::{LinkPurpose, OneTimeLink, UserId};
use crate::store::contract::{OneTimeLinkStore, Result};
use crate::store::statements::one_time_links::{
    FIND_ONE_TIME_LINK, PUT_ONE_TIME_LINK, TAKE_ONE_TIME_LINK, one_time_link,
};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl OneTimeLinkStore for SqliteStore {
    async fn put_one_time_link(&self, hash: &[u8; 32], link: &OneTimeLink) -> Result<()> {
        let OneTimeLink { purpose, user, application, made_by, expires_at } = link;
        let put = sqlx::query(PUT_ONE_TIME_LINK)
            .bind(hash.as_slice())
            .bind(purpose.as_str())
            .bind(user.as_ref().map(UserId::as_str))
            .bind(application)
            .bind(made_by.to_string())
            .bind(StoredTime(*expires_at));
        put.execute(&self.writer).await.map_err(failure)?;
        Ok(())
    }

    async fn take_one_time_link(
        &self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<OneTimeLink>> {
        let take = sqlx::query(TAKE_ONE_TIME_LINK).bind(hash.as_slice()).bind(purpose.as_str()).bind(StoredTime(now));
        let row = rows::write_one(&self.writer, take).await.map_err(failure)?;
        row.as_ref().map(one_time_link).transpose().map_err(failure)
    }

    async fn find_one_time_link(
        &self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<OneTimeLink>> {
        let find = sqlx::query(FIND_ONE_TIME_LINK).bind(hash.as_slice()).bind(purpose.as_str()).bind(StoredTime(now));
        let row = find.fetch_optional(&self.readers).await.map_err(failure)?;
        row.as_ref().map(one_time_link).transpose().map_err(failure)
    }
}
