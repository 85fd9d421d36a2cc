//! New authentications in running sessions: one compare-and-set.

use async_trait::async_trait;
use sqlx::{PgExecutor, PgPool};

use super::idempotency_keys::{Claim, claim};
use super::store::PostgresStore;
use crate::model::Session;
use crate::store::columns;
use crate::store::contract::{Idempotency, Reauthenticated, Reauthentication, ReauthenticationStore, Result};
use crate::store::stored_time::StoredTime;
use crate::store::values;

#[async_trait]
impl ReauthenticationStore for PostgresStore {
    async fn reauthenticate_session(&self, authentication: &Reauthentication) -> Result<Reauthenticated> {
        let pool = &self.database.pool;
        let reauthenticate = || async {
            match &authentication.idempotency {
                None => Ok(outcome(write(pool, authentication).await?)),
                Some(idempotency) => once(pool, authentication, idempotency).await,
            }
        };
        self.database.retry_idempotent(reauthenticate).await
    }
}

fn outcome(written: Option<Session>) -> Reauthenticated {
    written.map_or(Reauthenticated::NotWritten, |session| Reauthenticated::Now(Box::new(session)))
}

/// Writes an authentication in a transaction that claims its idempotency key.
async fn once(
    pool: &PgPool,
    authentication: &Reauthentication,
    idempotency: &Idempotency,
) -> sqlx::Result<Reauthenticated> {
    let mut tx = pool.begin().await?;
    // Every early return drops the transaction, which rolls it back.
    match claim(&mut tx, idempotency, authentication.id, authentication.now).await? {
        Claim::New => {}
        Claim::Earlier(signed_in) => return Ok(Reauthenticated::Repeated(Box::new(signed_in.session))),
        Claim::Reused => return Ok(Reauthenticated::KeyReused),
    }
    let written = write(&mut *tx, authentication).await?;
    if written.is_some() {
        tx.commit().await?;
    }
    Ok(outcome(written))
}

async fn write(executor: impl PgExecutor<'_>, authentication: &Reauthentication) -> sqlx::Result<Option<Session>> {
    const WRITE: &str = concat!(
        "UPDATE sessions SET acr = $5, amr = $6,
            authenticated_at = greatest(coalesce(authenticated_at, created_at), $7),
            refresh_counter = refresh_counter + 1, least_counter = refresh_counter + 1,
            rotated_at = $1, refresh_repeated = FALSE, late_repeats = 0, last_seen_at = greatest(last_seen_at, $1),
            expires_at = least(expires_at, $8), absolute_expires_at = least(absolute_expires_at, $8),
            idle_timeout = least(idle_timeout, $9), opened_by = $11
         WHERE id = $2 AND user_id = $3 AND least_counter = $4 AND ",
        active!("greatest(last_seen_at, $10)", "$1"),
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
    write.fetch_optional(executor).await?.as_ref().map(columns::session).transpose()
}
