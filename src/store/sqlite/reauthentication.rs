//! New authentications in running sessions: one compare-and-set.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::failure::failure;
use super::idempotency_keys::{Claim, claim};
use super::store::SqliteStore;
use crate::model::Session;
use crate::store::columns;
use crate::store::contract::{Reauthenticated, Reauthentication, ReauthenticationStore, Result};
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl ReauthenticationStore for SqliteStore {
    async fn reauthenticate_session(&self, authentication: &Reauthentication) -> Result<Reauthenticated> {
        let reauthenticate = async {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            // Every early return drops the transaction, which rolls it back.
            if let Some(idempotency) = &authentication.idempotency {
                match claim(&mut tx, idempotency, authentication.id, authentication.now).await? {
                    Claim::New => {}
                    Claim::Earlier(signed_in) => return Ok(Reauthenticated::Repeated(Box::new(signed_in.session))),
                    Claim::Reused => return Ok(Reauthenticated::KeyReused),
                }
            }
            let Some(written) = write(&mut tx, authentication).await? else { return Ok(Reauthenticated::NotWritten) };
            tx.commit().await?;
            Ok(Reauthenticated::Now(Box::new(written)))
        };
        reauthenticate.await.map_err(failure)
    }
}

async fn write(tx: &mut SqliteConnection, authentication: &Reauthentication) -> sqlx::Result<Option<Session>> {
    const WRITE: &str = concat!(
        "UPDATE sessions SET acr = $5, amr = $6,
            authenticated_at = max(coalesce(authenticated_at, created_at), $7),
            refresh_counter = refresh_counter + 1, least_counter = refresh_counter + 1,
            rotated_at = $1, refresh_repeated = FALSE, late_repeats = 0, last_seen_at = max(last_seen_at, $1),
            expires_at = min(expires_at, $8), absolute_expires_at = min(absolute_expires_at, $8),
            idle_timeout = coalesce(min(idle_timeout, $9), idle_timeout, $9), opened_by = $11
         WHERE id = $2 AND user_id = $3 AND least_counter = $4 AND ",
        active!("max(last_seen_at, coalesce($10, last_seen_at))"),
        " RETURNING ",
        columns!()
    );
    let Reauthentication { id, user, seen_least_counter, seen_at, acr, amr, authenticated_at, ends_at, .. } =
        authentication;
    let write = sqlx::query(WRITE)
        .bind(StoredTime(authentication.now))
        .bind(id.as_uuid())
        .bind(user.as_str())
        .bind(values::counter_to_store(*seen_least_counter, "least_counter")?)
        .bind(acr)
        .bind(values::texts_to_store(amr)?)
        .bind(StoredTime(*authenticated_at))
        .bind(StoredTime(*ends_at))
        .bind(values::seconds_to_store(authentication.idle_timeout)?)
        .bind(seen_at.map(StoredTime))
        .bind(authentication.opened_by.to_string());
    write.fetch_optional(tx).await?.as_ref().map(columns::session).transpose()
}
