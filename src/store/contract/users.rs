//! Users.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::end::EndedAtOnce;
use super::error::Result;
use crate::model::{User, UserDetails, UserId};

/// Users, their bans, and their erasure.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// One user. `None` when unknown.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;

    /// Creates a user or changes the details told, and answers it.
    async fn put_user(&self, id: &UserId, details: &UserDetails, now: DateTime<Utc>) -> Result<User>;

    /// Deletes a user, its ban too, and ends its active sessions with [`EndReason::UserDeleted`](crate::model::EndReason::UserDeleted).
    /// Answers the ended ids, in order; `None` when the user is unknown and has no active session.
    async fn delete_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<EndedAtOnce>>;

    /// Takes what describes a person (addresses, places, devices, metadata) out of a batch of the user's sessions,
    /// whatever their state, and answers how many; once none is left and the answer is 0, also out of the bulk endings
    /// that name the user and the idempotency keys that stand for its sessions or are kept as of `service`. Of such a key
    /// a hash remains, so that it opens no session: a repeat answers [`Opening::KeyReused`](super::open::Opening::KeyReused).
    async fn erase_user(&self, id: &UserId, service: &str) -> Result<u64>;

    /// Bans a user, creating it when unknown so that no ban comes too early, and ends its active sessions with
    /// [`EndReason::UserBanned`](crate::model::EndReason::UserBanned). Answers the user and the ended ids, in order. A second ban keeps the first one's time.
    async fn ban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<(User, EndedAtOnce)>;

    /// Lifts a ban, and answers the user; no session comes back. `None` when the user is unknown.
    async fn unban_user(&self, id: &UserId, now: DateTime<Utc>) -> Result<Option<User>>;
}
