//! Users, as administrators and login services manage them.

use chrono::{DateTime, Utc};

use super::applications::check_no_console_user;
use super::error::Error;
use super::facade::Sessions;
use super::open::user_as_service;
use crate::model::{
    Actor, AuditAction, AuditDetail, AuditEntry, AuditTarget, Caller, DetailValue, EndReason, Ended,
    MAX_BAN_REASON_CHARS, Scope, TargetKind, User, UserDetails, UserId, text,
};

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
    pub async fn put_user(&self, actor: &Actor, id: &UserId, details: &UserDetails) -> Result<User, Error> {
        actor.require(Scope::WRITE)?;
        self.require_recent(actor.session())?;
        check_no_console_user(id.as_str())?;
        let now = self.now();
        let given = [("name", &details.name), ("email", &details.email)].into_iter().filter(|(_, text)| text.is_some());
        let fields = DetailValue::Texts(given.map(|(name, _)| name.to_owned()).collect());
        let detail = AuditDetail::default().with("fields", Some(fields));
        // A login service puts users all day.
        let is_staff = actor.scope().allows(Scope::ADMIN);
        let entry = is_staff.then(|| self.entry_about(actor, id, now, AuditAction::UserChanged, detail)).transpose()?;
        let user = self.store().put_user(id, details, now, entry.as_ref()).await?;
        self.changed(id);
        Ok(user)
    }

    /// Deletes a user and ends its sessions, for a caller with `sessions:admin`. `erase` or the policy also removes personal
    /// data from all of the user's sessions, ended ones included. An interrupted call can be repeated.
    pub async fn delete_user(&self, actor: &Actor, id: &UserId, erase: bool) -> Result<DeletedUser, Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let (by, ended) = (actor.credential(), Ended { at: self.now(), reason: EndReason::UserDeleted });
        let entry = self.entry_about(actor, id, ended.at, AuditAction::UserDeleted, AuditDetail::default())?;
        let deleted = self.store().delete_user(id, ended.at, Some(&entry)).await?;
        let is_known = deleted.is_some();
        let ended = match deleted {
            Some(outcome) => {
                tracing::info!(user = id.as_str(), %by, "user deleted");
                self.all_ended((id, None), outcome, ended, by, None).await?
            }
            None => 0,
        };
        let erase = erase || self.policy().erase_deleted_users;
        let erased = if erase { Some(self.erase(actor, id, is_known).await?) } else { None };
        if is_known || erased.is_some_and(|erased| erased > 0) {
            Ok(DeletedUser { ended, erased })
        } else {
            Err(Error::UserNotFound)
        }
    }

    async fn erase(&self, actor: &Actor, id: &UserId, is_known: bool) -> Result<u64, Error> {
        let (service, pseudonym) = (user_as_service(id), self.pseudonym(id));
        let entry = self.entry_about(actor, id, self.now(), AuditAction::UserErased, AuditDetail::default())?;
        let mut erased = 0;
        loop {
            let entry = Some(&entry).filter(|_| is_known || erased > 0);
            match self.store().erase_user(id, &service, &pseudonym, entry).await? {
                0 => break,
                batch => erased += batch,
            }
        }
        self.changed(id);
        self.purge_cache();
        tracing::info!(user = id.as_str(), sessions = erased, by = %actor.credential(), "user erased");
        Ok(erased)
    }

    /// Bans a user, known or not, and ends its sessions, for a caller with `sessions:admin`. Answers how many, too. A ban of
    /// a banned user replaces its reason if one is given. Refused: [`Error::Invalid`] for the text of a reason.
    pub async fn ban_user(&self, actor: &Actor, id: &UserId, reason: Option<String>) -> Result<(User, usize), Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let reason = text::optional("reason", reason, MAX_BAN_REASON_CHARS)?;
        let ended = Ended { at: self.now(), reason: EndReason::UserBanned };
        let detail = AuditDetail::default().with_text("reason", reason.as_ref());
        let entry = self.entry_about(actor, id, ended.at, AuditAction::UserBanned, detail)?;
        let (user, outcome) = self.store().ban_user(id, reason.as_deref(), ended.at, Some(&entry)).await?;
        let by = actor.credential();
        tracing::info!(user = id.as_str(), %by, "user banned");
        Ok((user, self.all_ended((id, None), outcome, ended, by, None).await?))
    }

    /// Lifts a ban, for a caller with `sessions:admin`. No session comes back.
    pub async fn unban_user(&self, actor: &Actor, id: &UserId) -> Result<User, Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let now = self.now();
        let entry = self.entry_about(actor, id, now, AuditAction::UserUnbanned, AuditDetail::default())?;
        let user = self.store().unban_user(id, now, Some(&entry)).await?.ok_or(Error::UserNotFound)?;
        self.changed(id);
        tracing::info!(user = id.as_str(), by = %actor.credential(), "user unbanned");
        Ok(user)
    }

    /// The entry of an action on a user.
    fn entry_about(
        &self,
        actor: &Actor,
        user: &UserId,
        at: DateTime<Utc>,
        action: AuditAction,
        detail: AuditDetail,
    ) -> Result<AuditEntry, Error> {
        self.entry(actor, at, action, Some(AuditTarget::new(TargetKind::User, user)), detail)
    }
}
