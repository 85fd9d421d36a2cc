//! Users, as administrators and login services manage them.

use super::error::Error;
use super::facade::Sessions;
use super::open::user_as_service;
use crate::model::{Caller, EndReason, MAX_BAN_REASON_CHARS, Opener, Scope, User, UserDetails, UserId, text};

/// The outcome of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedUser {
    /// Number of sessions that were ended.
    pub ended: usize,
    /// Number of sessions whose personal data was erased; `None`: no erasure was requested.
    pub erased: Option<u64>,
}

impl Sessions {
    /// One user, for a caller with `sessions:read`.
    pub async fn user(&self, caller: &Caller, id: &UserId) -> Result<User, Error> {
        caller.require(Scope::READ)?;
        self.store().user(id).await?.ok_or(Error::UserNotFound)
    }

    /// Creates a user or changes the given details, for a caller with `sessions:write`.
    pub async fn put_user(&self, caller: &Caller, id: &UserId, details: &UserDetails) -> Result<User, Error> {
        caller.require(Scope::WRITE)?;
        self.require_recent(caller.session())?;
        let user = self.store().put_user(id, details, self.now()).await?;
        self.changed(id);
        Ok(user)
    }

    /// Deletes a user and ends its sessions, for a caller with `sessions:admin`. `erase` or the policy also removes personal
    /// data from all of the user's sessions, ended ones included. An interrupted call can be repeated.
    pub async fn delete_user(&self, caller: &Caller, id: &UserId, erase: bool) -> Result<DeletedUser, Error> {
        caller.require(Scope::ADMIN)?;
        self.require_recent(caller.session())?;
        let by = caller.credential();
        let deleted = self.store().delete_user(id, self.now()).await?;
        let is_known = deleted.is_some();
        let ended = match deleted {
            Some(ended) => {
                tracing::info!(user = id.as_str(), %by, "user deleted");
                self.all_ended(id, None, ended, EndReason::UserDeleted, by).await?
            }
            None => 0,
        };
        let erased = if erase || self.policy().erase_deleted_users { Some(self.erase(id, by).await?) } else { None };
        if is_known || erased.is_some_and(|erased| erased > 0) {
            Ok(DeletedUser { ended, erased })
        } else {
            Err(Error::UserNotFound)
        }
    }

    async fn erase(&self, id: &UserId, by: Opener) -> Result<u64, Error> {
        let service = user_as_service(id);
        let mut erased = 0;
        loop {
            match self.store().erase_user(id, &service).await? {
                0 => break,
                batch => erased += batch,
            }
        }
        self.changed(id);
        self.purge_cache();
        tracing::info!(user = id.as_str(), sessions = erased, %by, "user erased");
        Ok(erased)
    }

    /// Bans a user, known or not, and ends its sessions, for a caller with `sessions:admin`. Answers how many, too. A ban of
    /// a banned user replaces its reason if one is given. Refused: [`Error::Invalid`] for the text of a reason.
    pub async fn ban_user(&self, caller: &Caller, id: &UserId, reason: Option<String>) -> Result<(User, usize), Error> {
        caller.require(Scope::ADMIN)?;
        self.require_recent(caller.session())?;
        let reason = text::optional("reason", reason, MAX_BAN_REASON_CHARS)?;
        let (user, ended) = self.store().ban_user(id, reason.as_deref(), self.now()).await?;
        let by = caller.credential();
        tracing::info!(user = id.as_str(), %by, "user banned");
        Ok((user, self.all_ended(id, None, ended, EndReason::UserBanned, by).await?))
    }

    /// Lifts a ban, for a caller with `sessions:admin`. No session comes back.
    pub async fn unban_user(&self, caller: &Caller, id: &UserId) -> Result<User, Error> {
        caller.require(Scope::ADMIN)?;
        self.require_recent(caller.session())?;
        let user = self.store().unban_user(id, self.now()).await?.ok_or(Error::UserNotFound)?;
        self.changed(id);
        tracing::info!(user = id.as_str(), by = %caller.credential(), "user unbanned");
        Ok(user)
    }
}
