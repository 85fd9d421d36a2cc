//! Rows about master secrets.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Executor as _, Row as _};

use super::failure::{failure, search_failure};
use super::store::SqliteStore;
use crate::store::columns::StoredRow as _;
use crate::store::contract::{MasterSecretStore, Result, SessionsOpened, UsedSecret};
use crate::store::stored_time::StoredTime;
use crate::store::values::OrUnreadable as _;
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
        const LIST: &str = "SELECT id, last_used_at FROM master_secrets ORDER BY id";
        let rows = self.readers.fetch_all(LIST).await.map_err(failure)?;
        let used = rows.iter().map(|row| {
            let id = SecretId::parse(row.try_get("id")?).or_unreadable("id")?;
            Ok(UsedSecret { id, last_used_at: row.time("last_used_at")? })
        });
        used.collect::<sqlx::Result<_>>().map_err(failure)
    }

    async fn replace_seal(&self, key: &SealedSigningKey, sealed: &[u8]) -> Result<bool> {
        const REPLACE: &str = "UPDATE signing_keys SET sealed = $3 WHERE kid = $1 AND sealed = $2";
        let replace = sqlx::query(REPLACE).bind(&key.kid).bind(&key.sealed).bind(sealed);
        Ok(replace.execute(&self.writer).await.map_err(failure)?.rows_affected() > 0)
    }

    async fn sessions_opened_until(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<SessionsOpened> {
        const COUNT: &str = concat!(
            "SELECT count(*) AS count, max(absolute_expires_at) AS last_end FROM sessions WHERE created_at <= $2 AND ",
            active!()
        );
        let count = sqlx::query(COUNT).bind(StoredTime(now)).bind(StoredTime(until));
        let row = count.fetch_one(&self.searches).await.map_err(search_failure)?;
        let read = || {
            let count = row.try_get::<i64, _>("count")?.unsigned_abs();
            Ok(SessionsOpened { count, last_end: row.optional_time("last_end")? })
        };
        read().map_err(failure)
    }
}
