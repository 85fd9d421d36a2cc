//! Service keys and signing keys.

use crate::model::{Algorithm, Scope, ServiceKeyId};
use crate::store::columns::StoredRow;
use crate::store::values::OrUnreadable as _;
use crate::tokens::{SealedSigningKey, StoredServiceKey};

macro_rules! service_key_columns {
    () => {
        "id, name, scope, secret_hash, created_at, expires_at, revoked_at, client_id"
    };
}

macro_rules! signing_key_columns {
    () => {
        "sequence, kid, algorithm, sealed, created_at, active_from, wanted_at"
    };
}

pub(in crate::store) const ADD_SERVICE_KEY: &str =
    concat!("INSERT INTO service_keys (", service_key_columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");

pub(in crate::store) const FIND_SERVICE_KEY: &str =
    concat!("SELECT ", service_key_columns!(), " FROM service_keys WHERE id = $1");

pub(in crate::store) const LIST_SERVICE_KEYS: &str =
    concat!("SELECT ", service_key_columns!(), " FROM service_keys ORDER BY created_at DESC, id DESC");

pub(in crate::store) const REVOKE_SERVICE_KEY: &str =
    "UPDATE service_keys SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2 RETURNING revoked_at";

pub(in crate::store) const LIST_SIGNING_KEYS: &str =
    concat!("SELECT ", signing_key_columns!(), " FROM signing_keys ORDER BY sequence");

pub(in crate::store) const ADD_SIGNING_KEY: &str = concat!(
    "INSERT INTO signing_keys (",
    signing_key_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (sequence) DO NOTHING"
);

pub(in crate::store) const REMOVE_SIGNING_KEY: &str = "DELETE FROM signing_keys WHERE sequence = $1";

pub(in crate::store) const NOTE_WANTED_ALGORITHM: &str =
    "UPDATE signing_keys SET wanted_at = $2 WHERE algorithm = $1 AND (wanted_at IS NULL OR wanted_at < $2)";

pub(in crate::store) fn service_key(row: &impl StoredRow) -> sqlx::Result<StoredServiceKey> {
    Ok(StoredServiceKey {
        id: ServiceKeyId(row.named("id")?),
        name: row.named("name")?,
        scope: Scope::parse(row.named("scope")?).or_unreadable("scope")?,
        secret_hash: row.named::<Vec<u8>>("secret_hash")?.try_into().or_unreadable("secret_hash")?,
        created_at: row.time("created_at")?,
        expires_at: row.optional_time("expires_at")?,
        revoked_at: row.optional_time("revoked_at")?,
        application: row.named("client_id")?,
    })
}

pub(in crate::store) fn signing_key(row: &impl StoredRow) -> sqlx::Result<SealedSigningKey> {
    Ok(SealedSigningKey {
        sequence: row.named("sequence")?,
        kid: row.named("kid")?,
        algorithm: Algorithm::parse(row.named("algorithm")?).or_unreadable("algorithm")?,
        sealed: row.named("sealed")?,
        created_at: row.time("created_at")?,
        active_from: row.time("active_from")?,
        wanted_at: row.optional_time("wanted_at")?,
    })
}
