//! Rows about master secrets.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::store::PostgresStore;
use crate::store::contract::{MasterSecretStore, Result, SessionsOpened, UsedSecret};
use crate::store::statements::master_secrets::{LIST_USED_SECRETS, REPLACE_SEAL, sessions_opened, used_secret};
use crate::store::stored_time::StoredTime;
use crate::tokens::{SealedSigningKey, SecretId};

#[async_trait]
impl MasterSecretStore for PostgresStore {
    async fn note_use_of_secret(&self, id: SecretId, now: DateTime<Utc>) -> Result<()> {
        const NOTE: &str = "
            INSERT INTO master_secrets (id, last_used_at) VALUES ($1, $2)
            ON CONFLICT (id) DO UPDATE SET last_used_at = greatest(master_secrets.last_used_at, excluded.last_used_at)";
        let note = || sqlx::query(NOTE).bind(id.to_string()).bind(StoredTime(now)).execute(&self.database.pool);
        self.database.retry_idempotent(note).await?;
        Ok(())
    }

    async fn used_secrets(&self) -> Result<Vec<UsedSecret>> {
        let list = || async {
            let rows = sqlx::query(LIST_USED_SECRETS).fetch_all(&self.database.pool).await?;
            rows.iter().map(used_secret).collect()
        };
        self.read(list).await
    }

    async fn replace_seal(&self, key: &SealedSigningKey, sealed: &[u8]) -> Result<bool> {
        let replace =
            || sqlx::query(REPLACE_SEAL).bind(&key.kid).bind(&key.sealed).bind(sealed).execute(&self.database.pool);
        Ok(self.database.retry_if_rolled_back(replace).await?.rows_affected() > 0)
    }

    async fn sessions_opened_until(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<SessionsOpened> {
        let count = || async {
            let count = sqlx::query(count_sessions_opened!()).bind(StoredTime(now)).bind(StoredTime(until));
            sessions_opened(&count.fetch_one(&self.database.searches).await?)
        };
        self.search(count).await
    }
}
