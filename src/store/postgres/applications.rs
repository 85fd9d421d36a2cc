//! Applications.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::failure::failure;
use super::store::PostgresStore;
use crate::model::{Application, ApplicationSettings, Scope};
use crate::store::contract::{ApplicationStore, Result};
use crate::store::statements::applications::{
    ADD_APPLICATION, CHANGE_APPLICATION, DELETE_APPLICATION, LIST_APPLICATIONS, application,
};
use crate::store::stored_time::StoredTime;
use crate::store::values::{seconds_to_store, texts_to_store};

#[async_trait]
impl ApplicationStore for PostgresStore {
    async fn applications(&self) -> Result<Vec<Application>> {
        let list = || async {
            let rows = sqlx::query(LIST_APPLICATIONS).fetch_all(&self.database.pool).await?;
            rows.iter().map(application).collect()
        };
        self.read(list).await
    }

    async fn add_application(&self, new: &Application) -> Result<bool> {
        let Application { id, settings, created_at, updated_at } = new;
        let ApplicationSettings { name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout } =
            settings;
        let audiences = texts_to_store(audiences).map_err(failure)?;
        let add = || async {
            let add = sqlx::query(ADD_APPLICATION)
                .bind(id)
                .bind(name)
                .bind(&audiences)
                .bind(scope.as_ref().map(Scope::as_str))
                .bind(seconds_to_store(*access_token_lifetime)?)
                .bind(seconds_to_store(*absolute_lifetime)?)
                .bind(seconds_to_store(*idle_timeout)?)
                .bind(StoredTime(*created_at))
                .bind(StoredTime(*updated_at));
            add.execute(&self.database.pool).await
        };
        Ok(self.database.retry_if_rolled_back(add).await?.rows_affected() > 0)
    }

    async fn change_application(&self, changed: &Application, seen: DateTime<Utc>) -> Result<bool> {
        let Application { id, settings, created_at: _, updated_at } = changed;
        let ApplicationSettings { name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout } =
            settings;
        let audiences = texts_to_store(audiences).map_err(failure)?;
        let change = || async {
            let change = sqlx::query(CHANGE_APPLICATION)
                .bind(id)
                .bind(name)
                .bind(&audiences)
                .bind(scope.as_ref().map(Scope::as_str))
                .bind(seconds_to_store(*access_token_lifetime)?)
                .bind(seconds_to_store(*absolute_lifetime)?)
                .bind(seconds_to_store(*idle_timeout)?)
                .bind(StoredTime(*updated_at))
                .bind(StoredTime(seen));
            change.execute(&self.database.pool).await
        };
        Ok(self.database.retry_if_rolled_back(change).await?.rows_affected() > 0)
    }

    async fn delete_application(&self, id: &str) -> Result<bool> {
        let delete = || sqlx::query(DELETE_APPLICATION).bind(id).execute(&self.database.pool);
        Ok(self.database.retry_if_rolled_back(delete).await?.rows_affected() > 0)
    }
}
