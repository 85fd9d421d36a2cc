//! Signing keys in the hands of administrators.

use super::applications::algorithm_named;
use super::error::Error;
use super::facade::Sessions;
use crate::model::{Caller, Scope};
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
        caller: &Caller,
        only: Option<&str>,
        compromised: bool,
    ) -> Result<Vec<SealedSigningKey>, Error> {
        caller.require(Scope::ADMIN)?;
        self.require_recent(caller.session())?;
        self.require_recent_at_console(caller)?;
        let only = only.map(|name| algorithm_named("algorithm", name)).transpose()?;
        let keys = &self.parts.signing_keys;
        let made = keys.rotate(only, compromised).await?;
        self.access_tokens().replace_keys(keys.open().await?);
        self.signals.written();
        for key in &made {
            let (kid, algorithm, by) = (key.kid.as_str(), key.algorithm.as_str(), caller.credential());
            tracing::info!(kid, algorithm, compromised, %by, "signing keys rotated");
        }
        Ok(made)
    }
}
