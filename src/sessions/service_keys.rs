//! Service keys.

use chrono::TimeDelta;
use tracing::field::display;

use super::bulk_end::Selection;
use super::console::console_user;
use super::error::Error;
use super::facade::Sessions;
use super::freshness::MAX_STALENESS;
use super::policy::MAX_LIFETIME;
use crate::clock;
use crate::model::{
    Actor, AuditAction, AuditDetail, AuditTarget, Caller, EndReason, Ended, FieldError, Scope, ServiceKeyId,
    TargetKind, text,
};
use crate::tokens::{NewServiceKey, ServiceKey, StoredServiceKey};

/// The lifetime of a key for which none is given.
pub const DEFAULT_KEY_LIFETIME: TimeDelta = TimeDelta::days(365);
/// The shortest lifetime of a key.
const MIN_KEY_LIFETIME: TimeDelta = TimeDelta::seconds(1);
/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 255;

/// A service key to be made, unchecked.
#[derive(Debug, Clone)]
pub struct ServiceKeyDraft {
    /// The name for people.
    pub name: String,
    /// The rights.
    pub scope: String,
    /// The client id of the application that the key is bound to; `None`: it is bound to none.
    pub application: Option<String>,
    /// The lifetime; `None`: the key does not expire.
    pub lifetime: Option<TimeDelta>,
}

impl Sessions {
    /// Makes a service key, for a caller with `sessions:admin`. Refused:
    /// [`Error::Invalid`] for a scope with a word that means nothing to this server, because it would promise a right, and
    /// [`Error::Forbidden`] for a key with more rights than the caller's.
    pub async fn create_service_key(&self, actor: &Actor, draft: ServiceKeyDraft) -> Result<NewServiceKey, Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        self.require_recent_at_console(actor)?;
        let ServiceKeyDraft { name, scope, application, lifetime } = draft;
        let scope = Scope::parse(&scope)?;
        if let Some(word) = scope.as_str().split(' ').find(|word| !Scope::RESERVED.contains(word)) {
            let known = Scope::RESERVED.join(", ");
            return Err(FieldError::new("scope", format!("\"{word}\" is none of {known}")).into());
        }
        if scope.contains(Scope::GRANT) && !actor.scope().allows(Scope::GRANT) {
            return Err(Error::needs(Scope::GRANT));
        }
        let name = text::required("name", name, MAX_NAME_CHARS)?;
        let application = application.map(|id| text::required("client_id", id, MAX_NAME_CHARS)).transpose()?;
        if application.is_some() && scope.contains(Scope::GRANT) {
            return Err(FieldError::new(
                "scope",
                "must not have sessions:grant in a key that is bound to an application",
            )
            .into());
        }
        if lifetime.is_some_and(|lifetime| lifetime < MIN_KEY_LIFETIME || lifetime > MAX_LIFETIME) {
            let (least, most) = (MIN_KEY_LIFETIME.num_seconds(), MAX_LIFETIME.num_seconds());
            let message = format!("must be a number of seconds from {least} to {most}, or null");
            return Err(FieldError::new("expires_in", message).into());
        }
        let (now, entropy) = (self.now(), self.parts.entropy.as_ref());
        let id = ServiceKeyId(clock::uuid_v7(now, entropy)?);
        let expires_at = lifetime.map(|lifetime| now + lifetime);
        let mut new = ServiceKey::generate(id, name, scope, now, expires_at, entropy)?;
        new.stored.application = application;
        let detail = AuditDetail::default()
            .with_text("name", Some(&new.stored.name))
            .with_text("scope", Some(&new.stored.scope))
            .with_text("client_id", new.stored.application.as_ref())
            .with_text("expires_at", expires_at.map(|at| at.to_rfc3339()));
        let target = AuditTarget::new(TargetKind::Key, &id);
        let entry = self.entry(actor, now, AuditAction::KeyCreated, Some(target), detail)?;
        self.store().add_service_key(&new.stored, Some(&entry)).await?;
        tracing::info!(key = %id, scope = new.stored.scope.as_str(), by = %actor.credential(), "service key created");
        Ok(new)
    }

    /// All service keys, newest first, revoked and expired ones included, for a caller with `sessions:admin`.
    pub async fn service_keys(&self, caller: &Caller) -> Result<Vec<StoredServiceKey>, Error> {
        caller.require(Scope::ADMIN)?;
        Ok(self.store().service_keys().await?)
    }

    /// A service key, revoked or expired or not, for a caller with `sessions:admin`.
    pub async fn stored_service_key(&self, caller: &Caller, id: ServiceKeyId) -> Result<StoredServiceKey, Error> {
        caller.require(Scope::ADMIN)?;
        self.store().service_key(id).await?.ok_or(Error::ServiceKeyNotFound)
    }

    /// Revokes a service key and ends the console sessions of its bearers, for a caller with `sessions:admin`. A revoked one
    /// is left as it is, without an error.
    pub async fn revoke_service_key(&self, actor: &Actor, id: ServiceKeyId) -> Result<(), Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let (staff, target) = (console_user(id)?, AuditTarget::new(TargetKind::Key, &id));
        let ended = Ended { at: self.now(), reason: EndReason::RevokedByAdmin };
        let entry = self.entry(actor, ended.at, AuditAction::KeyRevoked, Some(target), AuditDetail::default())?;
        let revoked = self.store().revoke_service_key(id, &staff, ended, Some(&entry)).await;
        let outcome = revoked.inspect_err(|_| self.cache.user_changed(&staff))?.ok_or(Error::ServiceKeyNotFound)?;
        self.all_ended((&staff, None), outcome, ended, actor.credential(), None).await?;
        // This process need not wait for its own line in the change log.
        self.cache.key_changed(id);
        self.signals.written();
        tracing::info!(key = %id, by = %actor.credential(), "service key revoked");
        Ok(())
    }

    /// Ends the active sessions that a revoked key opened, for a caller with `sessions:admin`. Answers how many, or `None`
    /// when they could not be counted in time.
    ///
    /// Other replicas may still open sessions with the key until they have read of the revocation, so a second bulk ending
    /// follows after [`MAX_STALENESS`].
    pub async fn end_sessions_of_key(&self, actor: &Actor, id: ServiceKeyId) -> Result<Option<u32>, Error> {
        let opened = || Selection::opened_with(id);
        let first = self.revoke(actor, opened(), false).await?.sessions;
        tokio::time::sleep(MAX_STALENESS).await;
        let late = self.revoke(actor, opened(), false).await?.sessions;
        Ok(first.zip(late).map(|(first, late)| first.saturating_add(late)))
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
