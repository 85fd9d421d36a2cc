//! One-time links.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::store::PostgresStore;
use crate::model::{LinkPurpose, OneTimeLink, UserId};
use crate::store::contract::{OneTimeLinkStore, Result};
use crate::store::statements::one_time_links::{
    FIND_ONE_TIME_LINK, PUT_ONE_TIME_LINK, TAKE_ONE_TIME_LINK, one_time_link,
};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl OneTimeLinkStore for PostgresStore {
    async fn put_one_time_link(&self, hash: &[u8; 32], link: &OneTimeLink) -> Result<()> {
        let OneTimeLink { purpose, user, application, made_by, expires_at } = link;
        let put = || {
            sqlx::query(PUT_ONE_TIME_LINK)
                .bind(hash.as_slice())
                .bind(purpose.as_str())
                .bind(user.as_ref().map(UserId::as_str))
                .bind(application)
                .bind(made_by.to_string())
                .bind(StoredTime(*expires_at))
                .execute(&self.database.pool)
        };
        self.database.retry_if_rolled_back(put).await?;
        Ok(())
    }

    async fn take_one_time_link(
        &self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<OneTimeLink>> {
        let take = || async {
            let take =
                sqlx::query(TAKE_ONE_TIME_LINK).bind(hash.as_slice()).bind(purpose.as_str()).bind(StoredTime(now));
            take.fetch_optional(&self.database.pool).await?.as_ref().map(one_time_link).transpose()
        };
        self.database.retry_if_rolled_back(take).await
    }

    async fn find_one_time_link(
        &self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<OneTimeLink>> {
        let find = || async {
            let find =
                sqlx::query(FIND_ONE_TIME_LINK).bind(hash.as_slice()).bind(purpose.as_str()).bind(StoredTime(now));
            find.fetch_optional(&self.database.pool).await?.as_ref().map(one_time_link).transpose()
        };
        self.read(find).await
    }
}
