//! The rotation of the master secret: signing keys are sealed anew, and an operator is told when a former secret may go.
//!
//! Replicas are replaced one after the other, so for a while some make tokens with one secret and some with another. What is
//! sealed stays as it is until the former secret was used by nobody for [`IN_USE_FOR`]: a replica that knows no other can be
//! started again until then, and no two replicas seal against each other.

use chrono::{DateTime, TimeDelta, Utc};

use super::signing_keys::{KeysError, SigningKeys};
use crate::error_chain::chain;
use crate::store::{self, SessionsOpened, UsedSecret};
use crate::tokens::{SealedSigningKey, SecretId};

/// Time between two notes of a running process that it uses its secret.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);
/// A secret whose last noted use is younger may be in use still: longer than two notes are apart, and than the few
/// seconds in which a process that stops goes on.
const IN_USE_FOR: TimeDelta = TimeDelta::minutes(2);

/// A master secret, and whether it may be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretStatus {
    /// The id of the secret.
    pub id: SecretId,
    /// Whether it is set: as `SOJOURN_SECRET` or as a previous one. Others use one that is not.
    pub set: bool,
    /// Whether it is `SOJOURN_SECRET`.
    pub current: bool,
    /// The latest noted use; `None`: none yet.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whether a process may still make tokens with it.
    pub in_use: bool,
    /// Number of signing keys sealed with this secret.
    pub seals: usize,
    /// The active sessions whose tokens may be from it; `None`: too many to count.
    pub sessions: Option<SessionsOpened>,
}

impl SecretStatus {
    /// Whether nothing needs it any more.
    pub fn may_go(&self) -> bool {
        let unneeded = self.sessions.is_some_and(|sessions| sessions.count == 0);
        !self.current && !self.in_use && self.seals == 0 && unneeded
    }
}

impl SigningKeys {
    /// Notes that this process makes tokens with the current secret. To be called before the first one is made; later
    /// [`SigningKeys::load`] does it. A database that takes no note takes no session either.
    pub async fn note_use_of_secrets(&self) {
        if let Err(error) = self.note_uses(self.clock.now()).await {
            tracing::warn!(error = %chain(&error), "the use of the master secret could not be noted");
        }
    }

    /// Notes uses, and seals keys anew. The keys are good without it, so what goes wrong is logged, and left for next time.
    pub(super) async fn keep_secrets(&self, stored: &[SealedSigningKey], now: DateTime<Utc>) {
        if let Err(error) = self.seal_anew(stored, now).await {
            tracing::warn!(error = %chain(&error), "the signing keys could not be sealed anew with SOJOURN_SECRET");
        }
    }

    async fn seal_anew(&self, stored: &[SealedSigningKey], now: DateTime<Utc>) -> Result<(), KeysError> {
        let used = self.note_uses(now).await?;
        for key in stored {
            let secret = key.sealed_with(&self.keyring)?;
            if secret == self.keyring.current_id() || is_in_use(&used, secret, now) {
                continue;
            }
            let sealed = key.sealed_anew(&self.keyring, self.entropy.as_ref())?;
            if self.store.replace_seal(key, &sealed).await? {
                tracing::info!(kid = key.kid, "signing key sealed anew with SOJOURN_SECRET");
            }
        }
        Ok(())
    }

    /// Notes the uses that are due, and answers all. A previous secret that none was noted of counts as used now: a replica
    /// of a version that notes nothing may use it.
    async fn note_uses(&self, now: DateTime<Utc>) -> store::Result<Vec<UsedSecret>> {
        let current = self.keyring.current_id();
        let mut used = self.store.used_secrets().await?;
        for id in self.keyring.ids() {
            let noted = used.iter_mut().find(|used| used.id == id);
            match noted {
                Some(noted) if id != current || noted.last_used_at + NOTED_EVERY > now => {}
                Some(noted) => {
                    self.store.note_use_of_secret(id, now).await?;
                    noted.last_used_at = now;
                }
                None => {
                    self.store.note_use_of_secret(id, now).await?;
                    used.push(UsedSecret { id, last_used_at: now });
                }
            }
        }
        Ok(used)
    }

    /// The status of all secrets: of the configured ones, and of those that other processes use.
    pub async fn secrets(&self) -> Result<Vec<SecretStatus>, KeysError> {
        let now = self.clock.now();
        let stored = self.store.signing_keys().await?;
        let seals = stored.iter().map(|key| key.sealed_with(&self.keyring)).collect::<Result<Vec<_>, _>>()?;
        let used = self.store.used_secrets().await?;
        let others = used.iter().map(|used| used.id).filter(|id| !self.keyring.ids().any(|set| set == *id));
        let mut secrets = Vec::new();
        for id in self.keyring.ids().chain(others) {
            let last_used_at = used.iter().find(|used| used.id == id).map(|used| used.last_used_at);
            // Without a noted use nobody knows how long it was in use: until now at the latest.
            let until = last_used_at.map_or(now, |last| last + IN_USE_FOR);
            let sessions = match self.store.sessions_opened_until(until, now).await {
                Ok(sessions) => Some(sessions),
                Err(store::Error::TooSlow) => None,
                Err(error) => return Err(error.into()),
            };
            secrets.push(SecretStatus {
                id,
                set: self.keyring.ids().any(|set| set == id),
                current: id == self.keyring.current_id(),
                last_used_at,
                in_use: is_in_use(&used, id, now),
                seals: seals.iter().filter(|seal| **seal == id).count(),
                sessions,
            });
        }
        Ok(secrets)
    }
}

fn is_in_use(used: &[UsedSecret], id: SecretId, now: DateTime<Utc>) -> bool {
    used.iter().any(|used| used.id == id && used.last_used_at + IN_USE_FOR > now)
}
