//! Service keys and signing keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::audit::{AuditedWrite, add_entry};
use super::end::end_sessions_of;
use super::failure::failure;
use super::store::SqliteStore;
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
impl SigningKeyStore for SqliteStore {
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        let rows = sqlx::query(LIST_SIGNING_KEYS).fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(signing_key).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn add_signing_key(&self, key: &SealedSigningKey, entry: Option<&AuditEntry>) -> Result<bool> {
        let SealedSigningKey { sequence, kid, algorithm, sealed, created_at, active_from, wanted_at } = key;
        let add = sqlx::query(ADD_SIGNING_KEY)
            .bind(sequence)
            .bind(kid)
            .bind(algorithm.as_str())
            .bind(sealed)
            .bind(StoredTime(*created_at))
            .bind(StoredTime(*active_from))
            .bind(wanted_at.map(StoredTime));
        let write = async {
            let mut connection = self.writer.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            let is_added = add.execute(&mut *write).await?.rows_affected() > 0;
            write.finish(is_added).await?;
            Ok(is_added)
        };
        write.await.map_err(failure)
    }

    async fn remove_signing_key(&self, sequence: i64) -> Result<()> {
        sqlx::query(REMOVE_SIGNING_KEY).bind(sequence).execute(&self.writer).await.map_err(failure)?;
        Ok(())
    }

    async fn note_wanted_algorithm(&self, algorithm: Algorithm, now: DateTime<Utc>) -> Result<()> {
        let note = sqlx::query(NOTE_WANTED_ALGORITHM).bind(algorithm.as_str()).bind(StoredTime(now));
        note.execute(&self.writer).await.map_err(failure)?;
        Ok(())
    }
}

#[async_trait]
impl ServiceKeyStore for SqliteStore {
    async fn add_service_key(&self, key: &StoredServiceKey, entry: Option<&AuditEntry>) -> Result<()> {
        let StoredServiceKey { id, name, scope, secret_hash, created_at, expires_at, revoked_at, application } = key;
        let add = sqlx::query(ADD_SERVICE_KEY)
            .bind(id.0)
            .bind(name)
            .bind(scope.as_str())
            .bind(secret_hash.as_slice())
            .bind(StoredTime(*created_at))
            .bind(expires_at.map(StoredTime))
            .bind(revoked_at.map(StoredTime))
            .bind(application);
        let write = async {
            let mut connection = self.writer.acquire().await?;
            let mut write = AuditedWrite::begin(&mut connection, entry).await?;
            add.execute(&mut *write).await?;
            write.finish(true).await
        };
        write.await.map_err(failure)
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        let find = sqlx::query(FIND_SERVICE_KEY).bind(id.0);
        let row = find.fetch_optional(&self.readers).await.map_err(failure)?;
        row.as_ref().map(service_key).transpose().map_err(failure)
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        let rows = sqlx::query(LIST_SERVICE_KEYS).fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(service_key).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn revoke_service_key(
        &self,
        id: ServiceKeyId,
        staff: &UserId,
        ended: Ended,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndedAtOnce>> {
        let revoke = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let revoke = sqlx::query(REVOKE_SERVICE_KEY).bind(StoredTime(ended.at)).bind(id.0);
            let Some(revoked) = revoke.fetch_optional(&mut *tx).await? else { return Ok(None) };
            add_entry(&mut tx, entry.filter(|_| revoked.time("revoked_at").is_ok_and(|at| at == ended.at))).await?;
            let outcome = end_sessions_of(&mut tx, staff, None, ended.reason, ended.at).await?;
            tx.commit().await?;
            Ok(Some(outcome))
        };
        revoke.await.map_err(failure)
    }
}
