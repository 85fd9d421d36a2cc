//! Signing keys in the hands of administrators.

use super::applications::algorithm_named;
use super::error::Error;
use super::facade::Sessions;
use crate::model::{Actor, Algorithm, AuditAction, AuditDetail, Caller, DetailValue, Scope};
use crate::tokens::SealedSigningKey;

impl Sessions {
    /// The stored signing keys, oldest first, for a caller with `sessions:admin`.
    pub async fn signing_keys(&self, caller: &Caller) -> Result<Vec<SealedSigningKey>, Error> {
        caller.require(Scope::ADMIN)?;
        Ok(self.store().signing_keys().await?)
    }

    /// Makes successors of the signing keys (see [`SigningKeys::rotate`](super::SigningKeys::rotate)), for a caller with
    /// `sessions:admin`: of all algorithms in use, or of the one of that JWA name. This process uses the keys at once.
    pub async fn rotate_signing_keys(
        &self,
        actor: &Actor,
        only: Option<&str>,
        compromised: bool,
    ) -> Result<Vec<SealedSigningKey>, Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        self.require_recent_at_console(actor)?;
        let only = only.map(|name| algorithm_named("algorithm", name)).transpose()?;
        let detail = AuditDetail::default()
            .with_text("algorithm", only.map(Algorithm::as_str))
            .with("compromised", Some(DetailValue::Flag(compromised)));
        let entry = self.entry(actor, self.now(), AuditAction::SigningKeysRotated, None, detail)?;
        let keys = &self.parts.signing_keys;
        let made = keys.rotate(only, compromised, Some(&entry)).await?;
        self.access_tokens().replace_keys(keys.open().await?);
        self.signals.written();
        for key in &made {
            let (kid, algorithm, by) = (key.kid.as_str(), key.algorithm.as_str(), actor.credential());
            tracing::info!(kid, algorithm, compromised, %by, "signing keys rotated");
        }
        Ok(made)
    }
}
