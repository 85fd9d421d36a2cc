//! Service keys and signing keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::Connection as _;

use super::audit::{AuditedWrite, add_entry};
use super::end::end_sessions_of;
use super::store::PostgresStore;
use crate::model::{Algorithm, AuditEntry, Ended, ServiceKeyId, UserId};
use crate::store::columns::StoredRow as _;
use crate::store::contract::{EndedAtOnce, Result, ServiceKeyStore, SigningKeyStore};
use crate::store::statements::keys::{
    ADD_SERVICE_KEY, ADD_SIGNING_KEY, FIND_SERVICE_KEY, LIST_SERVICE_KEYS, LIST_SIGNING_KEYS, NOTE_WANTED_ALGORITHM,
    REMOVE_SIGNING_KEY, REVOKE_SERVICE_KEY, service_key, signing_key,
};
use crate::store::stored_time::StoredTime;
use crate::tokens::{SealedSigningKey, StoredServiceKey};

#[async_trait]
impl SigningKeyStore for PostgresStore {
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        let list = || async {
            let rows = sqlx::query(LIST_SIGNING_KEYS).fetch_all(&self.database.pool).await?;
            rows.iter().map(signing_key).collect()
        };
        self.read(list).await
    }

    async fn add_signing_key(&self, key: &SealedSigningKey, entry: Option<&AuditEntry>) -> Result<bool> {
        let SealedSigningKey { sequence, kid, algorithm, sealed, created_at, active_from, wanted_at } = key;
        let add = || async {
            let add = sqlx::query(ADD_SIGNING_KEY)
                .bind(sequence)
                .bind(kid)
                .bind(algorithm.as_str())
                .bind(sealed)
                .bind(StoredTime(*created_at))
                .bind(StoredTime(*active_from))
                .bind(wanted_at.map(StoredTime));
            let mut connection = self.database.pool.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let is_added = add.execute(&mut *write).await?.rows_affected() > 0;
            write.finish(is_added).await?;
            Ok(is_added)
        };
        self.database.retry_if_rolled_back(add).await
    }

    async fn remove_signing_key(&self, sequence: i64) -> Result<()> {
        let remove = || sqlx::query(REMOVE_SIGNING_KEY).bind(sequence).execute(&self.database.pool);
        self.database.retry_idempotent(remove).await?;
        Ok(())
    }

    async fn note_wanted_algorithm(&self, algorithm: Algorithm, now: DateTime<Utc>) -> Result<()> {
        let note = || {
            sqlx::query(NOTE_WANTED_ALGORITHM)
                .bind(algorithm.as_str())
                .bind(StoredTime(now))
                .execute(&self.database.pool)
        };
        self.database.retry_idempotent(note).await?;
        Ok(())
    }
}

#[async_trait]
impl ServiceKeyStore for PostgresStore {
    async fn add_service_key(&self, key: &StoredServiceKey, entry: Option<&AuditEntry>) -> Result<()> {
        let StoredServiceKey { id, name, scope, secret_hash, created_at, expires_at, revoked_at, application } = key;
        let add = || async {
            let add = sqlx::query(ADD_SERVICE_KEY)
                .bind(id.0)
                .bind(name)
                .bind(scope.as_str())
                .bind(secret_hash.as_slice())
                .bind(StoredTime(*created_at))
                .bind(expires_at.map(StoredTime))
                .bind(revoked_at.map(StoredTime))
                .bind(application);
            let mut connection = self.database.pool.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            add.execute(&mut *write).await?;
            write.finish(true).await
        };
        self.database.retry_if_rolled_back(add).await
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        let find = || async {
            let mut connection = self.database.for_caller().await?;
            let row = sqlx::query(FIND_SERVICE_KEY).bind(id.0).fetch_optional(&mut *connection).await?;
            row.as_ref().map(service_key).transpose()
        };
        self.read(find).await
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        let list = || async {
            let mut connection = self.database.for_caller().await?;
            let rows = sqlx::query(LIST_SERVICE_KEYS).fetch_all(&mut *connection).await?;
            rows.iter().map(service_key).collect()
        };
        self.read(list).await
    }

    async fn revoke_service_key(
        &self,
        id: ServiceKeyId,
        staff: &UserId,
        ended: Ended,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndedAtOnce>> {
        let revoke = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let mut tx = connection.begin().await?;
            let revoke = sqlx::query(REVOKE_SERVICE_KEY).bind(StoredTime(ended.at)).bind(id.0);
            let Some(revoked) = revoke.fetch_optional(&mut *tx).await? else { return Ok(None) };
            add_entry(&mut tx, entry.filter(|_| revoked.time("revoked_at").is_ok_and(|at| at == ended.at))).await?;
            let outcome = end_sessions_of(&mut *tx, staff, None, ended.reason, ended.at).await?;
            tx.commit().await?;
            Ok(Some(outcome))
        };
        self.database.retry_if_rolled_back(revoke).await
    }
}
