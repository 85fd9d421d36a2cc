//! Service keys and signing keys.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::failure::failure;
use super::store::SqliteStore;
use crate::model::{Scope, ServiceKeyId};
use crate::store::columns::StoredRow as _;
use crate::store::contract::{Result, ServiceKeyStore, SigningKeyStore};
use crate::store::stored_time::StoredTime;
use crate::store::values::OrUnreadable;
use crate::tokens::{Algorithm, SealedSigningKey, StoredServiceKey};

#[async_trait]
impl SigningKeyStore for SqliteStore {
    async fn signing_keys(&self) -> Result<Vec<SealedSigningKey>> {
        self::signing_keys(&self.readers).await.map_err(failure)
    }

    async fn add_signing_key(&self, key: &SealedSigningKey) -> Result<bool> {
        self::add_signing_key(&self.writer, key).await.map_err(failure)
    }

    async fn remove_signing_keys_before(&self, sequence: i64) -> Result<()> {
        self::remove_signing_keys_before(&self.writer, sequence).await.map_err(failure)
    }
}

#[async_trait]
impl ServiceKeyStore for SqliteStore {
    async fn add_service_key(&self, key: &StoredServiceKey) -> Result<()> {
        self::add_service_key(&self.writer, key).await.map_err(failure)
    }

    async fn service_key(&self, id: ServiceKeyId) -> Result<Option<StoredServiceKey>> {
        self::service_key(&self.readers, id).await.map_err(failure)
    }

    async fn service_keys(&self) -> Result<Vec<StoredServiceKey>> {
        self::service_keys(&self.readers).await.map_err(failure)
    }

    async fn revoke_service_key(&self, id: ServiceKeyId, now: DateTime<Utc>) -> Result<bool> {
        self::revoke_service_key(&self.writer, id, now).await.map_err(failure)
    }
}

macro_rules! service_key_columns {
    () => {
        "id, name, scope, secret_hash, created_at, expires_at, revoked_at"
    };
}

pub(super) async fn add_service_key(pool: &SqlitePool, key: &StoredServiceKey) -> sqlx::Result<()> {
    const ADD: &str =
        concat!("INSERT INTO service_keys (", service_key_columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7)");
    let StoredServiceKey { id, name, scope, secret_hash, created_at, expires_at, revoked_at } = key;
    sqlx::query(ADD)
        .bind(id.0)
        .bind(name)
        .bind(scope.as_str())
        .bind(secret_hash.as_slice())
        .bind(StoredTime(*created_at))
        .bind(expires_at.map(StoredTime))
        .bind(revoked_at.map(StoredTime))
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn service_key(pool: &SqlitePool, id: ServiceKeyId) -> sqlx::Result<Option<StoredServiceKey>> {
    const FIND: &str = concat!("SELECT ", service_key_columns!(), " FROM service_keys WHERE id = $1");
    sqlx::query(FIND).bind(id.0).fetch_optional(pool).await?.as_ref().map(stored_service_key).transpose()
}

pub(super) async fn service_keys(pool: &SqlitePool) -> sqlx::Result<Vec<StoredServiceKey>> {
    const LIST: &str =
        concat!("SELECT ", service_key_columns!(), " FROM service_keys ORDER BY created_at DESC, id DESC");
    sqlx::query(LIST).fetch_all(pool).await?.iter().map(stored_service_key).collect()
}

pub(super) async fn revoke_service_key(pool: &SqlitePool, id: ServiceKeyId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    const REVOKE: &str = "UPDATE service_keys SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2";
    Ok(sqlx::query(REVOKE).bind(StoredTime(now)).bind(id.0).execute(pool).await?.rows_affected() > 0)
}

pub(super) async fn signing_keys(pool: &SqlitePool) -> sqlx::Result<Vec<SealedSigningKey>> {
    const LIST: &str =
        "SELECT sequence, kid, algorithm, sealed, created_at, active_from FROM signing_keys ORDER BY sequence";
    sqlx::query(LIST).fetch_all(pool).await?.iter().map(sealed_signing_key).collect()
}

pub(super) async fn add_signing_key(pool: &SqlitePool, key: &SealedSigningKey) -> sqlx::Result<bool> {
    const ADD: &str = "
        INSERT INTO signing_keys (sequence, kid, algorithm, sealed, created_at, active_from)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sequence) DO NOTHING";
    let SealedSigningKey { sequence, kid, algorithm, sealed, created_at, active_from } = key;
    let added = sqlx::query(ADD)
        .bind(sequence)
        .bind(kid)
        .bind(algorithm.as_str())
        .bind(sealed)
        .bind(StoredTime(*created_at))
        .bind(StoredTime(*active_from))
        .execute(pool)
        .await?;
    Ok(added.rows_affected() > 0)
}

pub(super) async fn remove_signing_keys_before(pool: &SqlitePool, sequence: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM signing_keys WHERE sequence < $1").bind(sequence).execute(pool).await?;
    Ok(())
}

fn stored_service_key(row: &SqliteRow) -> sqlx::Result<StoredServiceKey> {
    Ok(StoredServiceKey {
        id: ServiceKeyId(row.try_get("id")?),
        name: row.try_get("name")?,
        scope: Scope::parse(row.try_get("scope")?).or_unreadable("scope")?,
        secret_hash: row.try_get::<Vec<u8>, _>("secret_hash")?.try_into().or_unreadable("secret_hash")?,
        created_at: row.time("created_at")?,
        expires_at: row.optional_time("expires_at")?,
        revoked_at: row.optional_time("revoked_at")?,
    })
}

fn sealed_signing_key(row: &SqliteRow) -> sqlx::Result<SealedSigningKey> {
    Ok(SealedSigningKey {
        sequence: row.try_get("sequence")?,
        kid: row.try_get("kid")?,
        algorithm: Algorithm::parse(row.try_get("algorithm")?).or_unreadable("algorithm")?,
        sealed: row.try_get("sealed")?,
        created_at: row.time("created_at")?,
        active_from: row.time("active_from")?,
    })
}
