//! Rows about master secrets.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::failure::{failure, search_failure};
use super::store::SqliteStore;
use crate::store::contract::{MasterSecretStore, Result, SessionsOpened, UsedSecret};
use crate::store::statements::master_secrets::{LIST_USED_SECRETS, REPLACE_SEAL, sessions_opened, used_secret};
use crate::store::stored_time::StoredTime;
use crate::tokens::{SealedSigningKey, SecretId};

#[async_trait]
impl MasterSecretStore for SqliteStore {
    async fn note_use_of_secret(&self, id: SecretId, now: DateTime<Utc>) -> Result<()> {
        const NOTE: &str = "
            INSERT INTO master_secrets (id, last_used_at) VALUES ($1, $2)
            ON CONFLICT (id) DO UPDATE SET last_used_at = max(master_secrets.last_used_at, excluded.last_used_at)";
        let note = sqlx::query(NOTE).bind(id.to_string()).bind(StoredTime(now));
        note.execute(&self.writer).await.map_err(failure)?;
        Ok(())
    }

    async fn used_secrets(&self) -> Result<Vec<UsedSecret>> {
        let rows = sqlx::query(LIST_USED_SECRETS).fetch_all(&self.readers).await.map_err(failure)?;
        rows.iter().map(used_secret).collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn replace_seal(&self, key: &SealedSigningKey, sealed: &[u8]) -> Result<bool> {
        let replace = sqlx::query(REPLACE_SEAL).bind(&key.kid).bind(&key.sealed).bind(sealed);
        Ok(replace.execute(&self.writer).await.map_err(failure)?.rows_affected() > 0)
    }

    async fn sessions_opened_until(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<SessionsOpened> {
        let count = sqlx::query(count_sessions_opened!()).bind(StoredTime(now)).bind(StoredTime(until));
        let row = count.fetch_one(&self.searches).await.map_err(search_failure)?;
        sessions_opened(&row).map_err(failure)
    }
}
