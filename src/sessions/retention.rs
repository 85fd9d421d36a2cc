//! Deletion of rows past their retention.
//!
//! The policy's retention keeps ended and expired sessions, so that people can see what happened. Users may delete their
//! own expired sessions earlier. An active session is never deleted.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use super::facade::Sessions;
use super::feed::endings::LOG_TTL;
use super::open::IDEMPOTENCY_LIFETIME;
use crate::model::{
    Actor, AuditAction, AuditDetail, AuditEntry, Caller, Origin, Scope, SessionStats, SignedIn, Stale, UserId,
};

/// Time between an idle timeout and the session's deletion by its user, because another process may hold a use that is not
/// written yet.
const IDLE_CERTAINTY: TimeDelta = TimeDelta::minutes(1);
/// The maximum number of batches of one kind in one request.
const MAX_BATCHES: u32 = 20;
/// The time after which a request begins no further batch.
const DELETION_TIMEOUT: Duration = Duration::from_secs(4);
impl Sessions {
    /// Counts of a user's sessions.
    pub async fn session_stats_of(&self, user: &UserId) -> Result<SessionStats, Error> {
        Ok(self.store().session_stats(user, self.now()).await?)
    }

    /// Deletes the user's own expired sessions, and with `sessions:admin` all users' sessions past the retention. Answers
    /// the number of deleted ones; a request stops after some seconds, and a repeat goes on.
    pub async fn clean_up_own(&self, user: &SignedIn, origin: Origin) -> Result<u64, Error> {
        self.write_all_activity().await?;
        let now = self.now();
        let own = Stale::ExpiredOf { user: &user.session.user_id, at: now, idle_at: now - IDLE_CERTAINTY };
        let mut deleted = self.delete(own, Instant::now() + DELETION_TIMEOUT, None).await?;
        if user.session.scope.allows(Scope::ADMIN) {
            let actor = Actor { caller: Caller::User(Box::new(user.clone())), origin };
            deleted += self.delete_past_retention(&actor).await?;
        }
        tracing::info!(deleted, by = %user.credential(), "sessions cleaned up");
        Ok(deleted)
    }

    /// Deletes all users' sessions past the retention, or counts them, for a caller with `sessions:admin`. A request stops
    /// after some seconds, and a repeat goes on.
    pub async fn clean_up(&self, actor: &Actor, dry_run: bool) -> Result<u64, Error> {
        actor.require(Scope::ADMIN)?;
        if dry_run {
            return Ok(self.store().count_ended_before(self.retained_since()).await?);
        }
        let deleted = self.delete_past_retention(actor).await?;
        tracing::info!(deleted, by = %actor.credential(), "sessions cleaned up");
        Ok(deleted)
    }

    /// Deletes all rows past their retention, unless another replica does it. The next run completes an interrupted one.
    pub async fn delete_expired_rows(&self) -> Result<u64, Error> {
        self.agree_on_time().await?;
        let over = self.retained_since();
        let mut deleted = 0;
        for stale in [
            Stale::Expired(over),
            Stale::Ended(over),
            Stale::IdempotencyKeys(self.now() - IDEMPOTENCY_LIFETIME),
            Stale::OneTimeLinks(self.now()),
            Stale::BulkEndings(over),
            Stale::AuditEntries(self.now() - self.policy().audit_retention),
        ] {
            while let Some(batch @ 1..) = self.delete_batch(stale, true, None).await? {
                deleted += batch;
            }
        }
        let read_long_ago =
            self.read_history.read_long_ago(LOG_TTL.to_std().unwrap_or(Duration::MAX)).unwrap_or_default();
        while self.store().forget_changes(read_long_ago, self.now() - LOG_TTL).await? > 0 {}
        Ok(deleted)
    }

    /// The instant before which ended and expired sessions are past their retention.
    fn retained_since(&self) -> DateTime<Utc> {
        self.now() - self.policy().retention
    }

    async fn delete_past_retention(&self, actor: &Actor) -> Result<u64, Error> {
        self.agree_on_time().await?;
        let (over, until) = (self.retained_since(), Instant::now() + DELETION_TIMEOUT);
        let detail = AuditDetail::default().with_text("over_before", Some(over.to_rfc3339()));
        let entry = self.entry(actor, self.now(), AuditAction::CleanupRan, None, detail)?;
        // The first batch that deletes something adds the entry, and no other adds it again.
        let expired = self.delete(Stale::Expired(over), until, Some(&entry)).await?;
        Ok(expired + self.delete(Stale::Ended(over), until, Some(&entry)).await?)
    }

    async fn delete(&self, stale: Stale<'_>, until: Instant, entry: Option<&AuditEntry>) -> Result<u64, Error> {
        let mut deleted = 0;
        for _ in 0..MAX_BATCHES {
            match self.delete_batch(stale, false, entry).await? {
                Some(batch @ 1..) => deleted += batch,
                _ => break,
            }
            if Instant::now() > until {
                break;
            }
        }
        Ok(deleted)
    }

    async fn delete_batch(
        &self,
        stale: Stale<'_>,
        alone: bool,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<u64>, Error> {
        let started = Instant::now();
        let deleted = self.store().delete_stale(stale, alone, entry).await?;
        // The throttle compares rows of sessions only, because others take another time.
        if let (Stale::Expired(_) | Stale::Ended(_), Some(rows)) = (stale, deleted) {
            tokio::time::sleep(self.throttle.rest(rows, started.elapsed())).await;
        }
        Ok(deleted)
    }
}
