//! Service keys and signing keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::Connection as _;

use super::end::end_sessions_of;
use super::store::PostgresStore;
use crate::model::{Algorithm, EndReason, ServiceKeyId, UserId};
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

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        let SealedSigningKey { sequence, kid, algorithm, sealed, created_at, active_from, wanted_at } = key;
        let add = || {
            sqlx::query(ADD_SIGNING_KEY)
                .bind(sequence)
                .bind(kid)
                .bind(algorithm.as_str())
                .bind(sealed)
                .bind(StoredTime(*created_at))
                .bind(StoredTime(*active_from))
                .bind(wanted_at.map(StoredTime))
                .execute(&self.database.pool)
        };
        Ok(self.database.retry_if_rolled_back(add).await?.rows_affected() > 0)
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
    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()> {
        let StoredServiceKey { id, name, scope, secret_hash, created_at, expires_at, revoked_at, application } = key;
        let add = || {
            sqlx::query(ADD_SERVICE_KEY)
                .bind(id.0)
                .bind(name)
                .bind(scope.as_str())
                .bind(secret_hash.as_slice())
                .bind(StoredTime(*created_at))
                .bind(expires_at.map(StoredTime))
                .bind(revoked_at.map(StoredTime))
                .bind(application)
                .execute(&self.database.pool)
        };
        self.database.retry_if_rolled_back(add).await?;
        Ok(())
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
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedAtOnce>> {
        let revoke = || async {
            let mut connection = self.database.proved_for_ending().await?;
            let mut tx = connection.begin().await?;
            let revoke = sqlx::query(REVOKE_SERVICE_KEY).bind(StoredTime(now)).bind(id.0);
            if revoke.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(None);
            }
            let ended = end_sessions_of(&mut *tx, staff, None, reason, now).await?;
            tx.commit().await?;
            Ok(Some(ended))
        };
        self.database.retry_if_rolled_back(revoke).await
    }
}
