//! Signing keys in the hands of administrators.

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

    /// Makes a successor of the signing keys (see [`SigningKeys::rotate`](super::SigningKeys::rotate)), for a caller with
    /// `sessions:admin`. This process uses the keys at once.
    pub async fn rotate_signing_keys(&self, caller: &Caller, compromised: bool) -> Result<SealedSigningKey, Error> {
        caller.require(Scope::ADMIN)?;
        self.require_recent(caller.session())?;
        let keys = &self.parts.signing_keys;
        let made = keys.rotate(compromised).await?;
        self.access_tokens().replace_keys(keys.open().await?);
        self.signals.written();
        let (kid, algorithm, by) = (made.kid.as_str(), made.algorithm.as_str(), caller.credential());
        tracing::info!(kid, algorithm, compromised, %by, "signing keys rotated");
        Ok(made)
    }
}
