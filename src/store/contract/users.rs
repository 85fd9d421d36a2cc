//! Users.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::end::EndedAtOnce;
use super::error::Result;
use crate::model::{AuditEntry, User, UserDetails, UserId};

/// Users, their bans, and the erasure of their data.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// One user. `None` when unknown.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;

    /// Creates a user or replaces the details given, and answers the user.
    async fn put_user(
        &self,
        id: &UserId,
        details: &UserDetails,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<User>;

    /// Deletes a user and its ban, and ends its active sessions with
    /// [`EndReason::UserDeleted`](crate::model::EndReason::UserDeleted). Answers the ended ids, in order; `None` when
    /// the user is unknown and has no active session.
    async fn delete_user(
        &self,
        id: &UserId,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<EndedAtOnce>>;

    /// Erases personal data (addresses, places, devices, metadata) from a batch of the sessions of a user, whatever
    /// their state, and answers how many. Once the answer is 0, the bulk endings that name the user are erased too, and
    /// the idempotency keys of its sessions or of `service`. Such a key opens no session any more: a repeat answers
    /// [`Opening::KeyReused`](crate::store::Opening::KeyReused).
    ///
    /// With the bulk endings the audit trail is erased, where `pseudonym` replaces the user's id. The entry is added
    /// before, so the same holds for it.
    async fn erase_user(&self, id: &UserId, service: &str, pseudonym: &str, entry: Option<&AuditEntry>) -> Result<u64>;

    /// Bans a user and ends its active sessions with [`EndReason::UserBanned`](crate::model::EndReason::UserBanned). An
    /// unknown user is created, so that no ban comes too early. Answers the user and the ended ids, in order. A second
    /// ban keeps the time of the first, and without a reason the reason too.
    async fn ban_user(
        &self,
        id: &UserId,
        reason: Option<&str>,
        now: DateTime<Utc>,
        entry: Option<&AuditEntry>,
    ) -> Result<(User, EndedAtOnce)>;

    /// Lifts a ban, whose reason goes with it, and answers the user; ended sessions stay ended. `None` when the user is unknown.
    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>, entry: Option<&AuditEntry>) -> Result<Option<User>>;
}
