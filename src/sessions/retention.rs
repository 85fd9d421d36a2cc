//! Deletion of rows past their retention.
//!
//! Ended and expired sessions are kept for the policy's retention, so that people can see what happened; then they are
//! deleted. Users may have their own expired sessions deleted at once. An active session is never deleted.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use super::facade::Sessions;
use super::feed::endings::LOG_TTL;
use super::open::IDEMPOTENCY_LIFETIME;
use crate::model::{Caller, Scope, SessionStats, SignedIn, Stale, UserId};

/// Time after an idle timeout before its user may have the session deleted: until then another process may hold a use that
/// is not written yet.
const IDLE_CERTAINTY: TimeDelta = TimeDelta::minutes(1);
/// The most batches of one kind in one request, and for how long it begins others; who wants more asks again.
const MOST_BATCHES: u32 = 20;
const LONGEST: Duration = Duration::from_secs(4);
impl Sessions {
    /// A user's sessions in numbers.
    pub async fn session_stats_of(&self, user: &UserId) -> Result<SessionStats, Error> {
        Ok(self.store().session_stats(user, self.now()).await?)
    }

    /// Deletes the user's own expired sessions, and with `sessions:admin` also anybody's that were over for longer than
    /// the retention. Answers how many; when there are very many, not all of them.
    pub async fn clean_up_own(&self, user: &SignedIn) -> Result<u64, Error> {
        self.write_all_activity().await?;
        let now = self.now();
        let own = Stale::ExpiredOf { user: &user.session.user_id, at: now, idle_at: now - IDLE_CERTAINTY };
        let mut deleted = self.delete(own, Instant::now() + LONGEST).await?;
        if user.session.scope.allows(Scope::ADMIN) {
            deleted += self.delete_past_retention().await?;
        }
        tracing::info!(user = user.session.user_id.as_str(), deleted, "sessions cleaned up");
        Ok(deleted)
    }

    /// Deletes anybody's sessions that were over for longer than the retention, for a caller with `sessions:admin`; or
    /// tells how many they are. When there are very many, not all of them are deleted.
    pub async fn clean_up(&self, caller: &Caller, dry_run: bool) -> Result<u64, Error> {
        caller.require(Scope::ADMIN)?;
        if dry_run {
            return Ok(self.store().count_ended_before(self.retained_since()).await?);
        }
        let deleted = self.delete_past_retention().await?;
        tracing::info!(deleted, "sessions cleaned up");
        Ok(deleted)
    }

    /// Deletes all rows past their retention, unless another replica does it. The next run completes one that a stop cut short.
    pub async fn delete_expired_rows(&self) -> Result<u64, Error> {
        self.agree_on_time().await?;
        let over = self.retained_since();
        let mut deleted = 0;
        for stale in [
            Stale::Expired(over),
            Stale::Ended(over),
            Stale::IdempotencyKeys(self.now() - IDEMPOTENCY_LIFETIME),
            Stale::BulkEndings(over),
        ] {
            while let Some(batch @ 1..) = self.delete_batch(stale, true).await? {
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

    async fn delete_past_retention(&self) -> Result<u64, Error> {
        self.agree_on_time().await?;
        let (over, until) = (self.retained_since(), Instant::now() + LONGEST);
        Ok(self.delete(Stale::Expired(over), until).await? + self.delete(Stale::Ended(over), until).await?)
    }

    async fn delete(&self, stale: Stale<'_>, until: Instant) -> Result<u64, Error> {
        let mut deleted = 0;
        for _ in 0..MOST_BATCHES {
            match self.delete_batch(stale, false).await? {
                Some(batch @ 1..) => deleted += batch,
                _ => break,
            }
            if Instant::now() > until {
                break;
            }
        }
        Ok(deleted)
    }

    async fn delete_batch(&self, stale: Stale<'_>, alone: bool) -> Result<Option<u64>, Error> {
        let started = Instant::now();
        let deleted = self.store().delete_stale(stale, alone).await?;
        // The throttle compares rows of sessions only, because others take another time.
        if let (Stale::Expired(_) | Stale::Ended(_), Some(rows)) = (stale, deleted) {
            tokio::time::sleep(self.throttle.rest(rows, started.elapsed())).await;
        }
        Ok(deleted)
    }
}
