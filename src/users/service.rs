//! What administrators and login services do with users.

use super::{User, UserDetails, UserId};
use crate::sessions::{Caller, EndReason, Error, Scope, Sessions};

impl Sessions {
    /// One user, for a caller with `sessions:read`.
    pub async fn user(&self, caller: &Caller, id: &UserId) -> Result<User, Error> {
        caller.require(Scope::READ)?;
        self.store().user(id).await?.ok_or(Error::UserNotFound)
    }

    /// Creates a user or changes the details told, for a caller with `sessions:write`.
    pub async fn put_user(&self, caller: &Caller, id: &UserId, details: &UserDetails) -> Result<User, Error> {
        caller.require(Scope::WRITE)?;
        let user = self.store().put_user(id, details, self.now()).await?;
        self.changed(id);
        Ok(user)
    }

    /// Deletes a user and ends its sessions, for a caller with `sessions:admin`. Answers how many.
    pub async fn delete_user(&self, caller: &Caller, id: &UserId) -> Result<usize, Error> {
        caller.require(Scope::ADMIN)?;
        let ended = self.store().delete_user(id, self.now()).await?.ok_or(Error::UserNotFound)?;
        tracing::info!(user = id.as_str(), "user deleted");
        self.all_ended(id, None, ended, EndReason::UserDeleted).await
    }

    /// Bans a user, known or not, and ends its sessions, for a caller with `sessions:admin`. Answers how many, too.
    pub async fn ban_user(&self, caller: &Caller, id: &UserId) -> Result<(User, usize), Error> {
        caller.require(Scope::ADMIN)?;
        let (user, ended) = self.store().ban_user(id, self.now()).await?;
        tracing::info!(user = id.as_str(), "user banned");
        Ok((user, self.all_ended(id, None, ended, EndReason::UserBanned).await?))
    }

    /// Lifts a ban, for a caller with `sessions:admin`. No session comes back.
    pub async fn unban_user(&self, caller: &Caller, id: &UserId) -> Result<User, Error> {
        caller.require(Scope::ADMIN)?;
        let user = self.store().unban_user(id, self.now()).await?.ok_or(Error::UserNotFound)?;
        self.changed(id);
        tracing::info!(user = id.as_str(), "user unbanned");
        Ok(user)
    }
}
