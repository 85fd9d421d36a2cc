//! Service keys.

use chrono::TimeDelta;
use tracing::field::display;

use super::error::Error;
use super::facade::Sessions;
use crate::clock;
use crate::model::{Caller, FieldError, Scope, ServiceKeyId, text};
use crate::tokens::{NewServiceKey, ServiceKey, StoredServiceKey};

/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 255;

impl Sessions {
    /// Makes a service key, for a caller with `sessions:admin`. `lifetime`: `None` for a key that does not expire. Refused:
    /// [`Error::Invalid`] for a scope with a word that means nothing to this server, because it would promise a right.
    pub async fn create_service_key(
        &self,
        caller: &Caller,
        name: String,
        scope: &str,
        lifetime: Option<TimeDelta>,
    ) -> Result<NewServiceKey, Error> {
        caller.require(Scope::ADMIN)?;
        let scope = Scope::parse(scope)?;
        if let Some(word) = scope.as_str().split(' ').find(|word| !Scope::RESERVED.contains(word)) {
            let known = Scope::RESERVED.join(", ");
            return Err(FieldError::new("scope", format!("\"{word}\" is none of {known}")).into());
        }
        let name = text::required("name", name, MAX_NAME_CHARS)?;
        let (now, entropy) = (self.now(), self.parts.entropy.as_ref());
        let id = ServiceKeyId(clock::uuid_v7(now, entropy)?);
        let new = ServiceKey::generate(id, name, scope, now, lifetime.map(|lifetime| now + lifetime), entropy)?;
        self.store().add_service_key(&new.stored).await?;
        Ok(new)
    }

    /// All service keys, newest first, revoked and expired ones included, for a caller with `sessions:admin`.
    pub async fn service_keys(&self, caller: &Caller) -> Result<Vec<StoredServiceKey>, Error> {
        caller.require(Scope::ADMIN)?;
        Ok(self.store().service_keys().await?)
    }

    /// Revokes a service key, for a caller with `sessions:admin`, and says whether there is one.
    pub async fn revoke_service_key(&self, caller: &Caller, id: ServiceKeyId) -> Result<bool, Error> {
        caller.require(Scope::ADMIN)?;
        Ok(self.store().revoke_service_key(id, self.now()).await?)
    }

    /// Warns of the service keys, and of the bootstrap key, that will stop working before long.
    pub async fn warn_of_ending_keys(&self) -> Result<(), Error> {
        let now = self.now();
        for key in self.store().service_keys().await?.iter().filter(|key| key.ends_soon(now)) {
            let (id, name, expires_at) = (key.id, &key.name, key.expires_at.map(display));
            tracing::warn!(%id, name, expires_at, "a service key will stop working: make its successor");
        }
        if let Some(key) = self.parts.bootstrap_key.as_ref().filter(|key| key.ends_soon(now)) {
            tracing::warn!(expires_at = key.until.map(display), "the bootstrap key will stop working");
        }
        Ok(())
    }
}
