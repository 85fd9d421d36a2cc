//! Applications.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::failure::failure;
use super::store::SqliteStore;
use crate::model::{Application, ApplicationSettings, Scope};
use crate::store::contract::{ApplicationStore, Result};
use crate::store::statements::applications::{
    ADD_APPLICATION, CHANGE_APPLICATION, DELETE_APPLICATION, LIST_APPLICATIONS, application,
};
use crate::store::stored_time::StoredTime;
use crate::store::values::{seconds_to_store, texts_to_store};

#[async_trait]
impl ApplicationStore for SqliteStore {
    async fn applications(&self) -> Result<Vec<Application>> {
        let rows = sqlx::query(LIST_APPLICATIONS).fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(application).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn add_application(&self, new: &Application) -> Result<bool> {
        let Application { id, settings, created_at, updated_at } = new;
        let ApplicationSettings { name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout } =
            settings;
        let audiences = texts_to_store(audiences).map_err(failure)?;
        let add = sqlx::query(ADD_APPLICATION)
            .bind(id)
            .bind(name)
            .bind(&audiences)
            .bind(scope.as_ref().map(Scope::as_str))
            .bind(seconds_to_store(*access_token_lifetime).map_err(failure)?)
            .bind(seconds_to_store(*absolute_lifetime).map_err(failure)?)
            .bind(seconds_to_store(*idle_timeout).map_err(failure)?)
            .bind(StoredTime(*created_at))
            .bind(StoredTime(*updated_at));
        Ok(add.execute(&self.writer).await.map_err(failure)?.rows_affected() > 0)
    }

    async fn change_application(&self, changed: &Application, seen: DateTime<Utc>) -> Result<bool> {
        let Application { id, settings, created_at: _, updated_at } = changed;
        let ApplicationSettings { name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout } =
            settings;
        let audiences = texts_to_store(audiences).map_err(failure)?;
        let change = sqlx::query(CHANGE_APPLICATION)
            .bind(id)
            .bind(name)
            .bind(&audiences)
            .bind(scope.as_ref().map(Scope::as_str))
            .bind(seconds_to_store(*access_token_lifetime).map_err(failure)?)
            .bind(seconds_to_store(*absolute_lifetime).map_err(failure)?)
            .bind(seconds_to_store(*idle_timeout).map_err(failure)?)
            .bind(StoredTime(*updated_at))
            .bind(StoredTime(seen));
        Ok(change.execute(&self.writer).await.map_err(failure)?.rows_affected() > 0)
    }

    async fn delete_application(&self, id: &str) -> Result<bool> {
        let delete = sqlx::query(DELETE_APPLICATION).bind(id);
        Ok(delete.execute(&self.writer).await.map_err(failure)?.rows_affected() > 0)
    }
}
