//! Applications.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::audit::AuditedWrite;
use super::failure::failure;
use super::rows::SqliteQuery;
use super::store::SqliteStore;
use crate::model::{Algorithm, Application, ApplicationSettings, AuditEntry, Scope};
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

    async fn add_application(&self, new: &Application, entry: Option<&AuditEntry>) -> Result<bool> {
        let add = with_settings(ADD_APPLICATION, new).map_err(failure)?;
        let add = add.bind(StoredTime(new.created_at)).bind(StoredTime(new.updated_at));
        self.written(add, entry).await.map_err(failure)
    }

    async fn change_application(
        &self,
        changed: &Application,
        seen: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<bool> {
        let change = with_settings(CHANGE_APPLICATION, changed).map_err(failure)?;
        let change = change.bind(StoredTime(changed.updated_at)).bind(StoredTime(seen));
        self.written(change, entry).await.map_err(failure)
    }

    async fn delete_application(&self, id: &str, entry: Option<&AuditEntry>) -> Result<bool> {
        self.written(sqlx::query(DELETE_APPLICATION).bind(id), entry).await.map_err(failure)
    }
}

impl SqliteStore {
    /// Runs a write of one row with its entry, and answers whether the row was written.
    async fn written(&self, query: SqliteQuery<'_>, entry: Option<&AuditEntry>) -> sqlx::Result<bool> {
        let mut connection = self.writer.acquire().await?;
        let mut write = AuditedWrite::begin(&mut connection, entry).await?;
        let is_written = query.execute(&mut *write).await?.rows_affected() > 0;
        write.finish(is_written).await?;
        Ok(is_written)
    }
}

/// Binds `$1` to the id and `$2` to `$10` to the settings.
fn with_settings<'q>(statement: &'static str, application: &'q Application) -> sqlx::Result<SqliteQuery<'q>> {
    let Application { id, settings, created_at: _, updated_at: _ } = application;
    let ApplicationSettings {
        name,
        audiences,
        scope,
        access_token_lifetime,
        absolute_lifetime,
        idle_timeout,
        claims,
        signing_algorithm,
        cookie_name,
    } = settings;
    let claims = (!claims.is_empty()).then(|| texts_to_store(claims)).transpose()?;
    Ok(sqlx::query(statement)
        .bind(id)
        .bind(name)
        .bind(texts_to_store(audiences)?)
        .bind(scope.as_ref().map(Scope::as_str))
        .bind(seconds_to_store(*access_token_lifetime)?)
        .bind(seconds_to_store(*absolute_lifetime)?)
        .bind(seconds_to_store(*idle_timeout)?)
        .bind(claims)
        .bind(signing_algorithm.map(Algorithm::as_str))
        .bind(cookie_name))
}
