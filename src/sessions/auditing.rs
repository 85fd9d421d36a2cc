//! The audit trail: what staff do leaves an entry, in the transaction of the change. What users do with their own
//! sessions, and what login services do all day, leaves none.

use chrono::{DateTime, Utc};

use super::error::Error;
use super::facade::Sessions;
use super::query::check_limit;
use crate::clock;
use crate::model::{
    Actor, AuditAction, AuditActor, AuditDetail, AuditEntry, AuditFilter, AuditPosition, AuditSearch, AuditTarget,
    Caller, DetailValue, DeviceType, EndReason, Ended, FieldError, Filter, Origin, Scope, SessionId, StoredAuditEntry,
    TargetKind, UserId,
};

/// One page of the audit trail.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// The entries, newest first.
    pub entries: Vec<StoredAuditEntry>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

impl Sessions {
    /// One page of the trail, for a caller with `sessions:admin`. Refused: [`Error::Invalid`], also for a cursor of
    /// another search, and [`Error::SearchTooBroad`].
    pub async fn audit(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<AuditPage, Error> {
        caller.require(Scope::ADMIN)?;
        check_limit(limit)?;
        let (keys, asked) = (&self.parts.keyring, format!("audit {filter:?}"));
        let position = |text| keys.open_cursor(text, &asked).and_then(|bytes| read_position(&bytes));
        let foreign = || FieldError::new("cursor", "does not belong to this search");
        let after = cursor.map(|text| position(text).ok_or_else(foreign)).transpose()?;
        // One more than asked for tells whether there is a next page.
        let mut entries = self.store().search_audit(AuditSearch { filter, after, limit: limit + 1 }).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = entries.len() > page;
        entries.truncate(page);
        let last = entries.last().filter(|_| more);
        let next_cursor = last.map(|last| keys.seal_cursor(&written_position(last.position()), &asked));
        Ok(AuditPage { entries, next_cursor })
    }

    /// Records that a sign-in to the console was refused. Nothing of its credential is kept.
    pub async fn record_failed_sign_in(&self, origin: Origin) -> Result<(), Error> {
        let (at, actor, action) = (self.now(), AuditActor::UNKNOWN, AuditAction::ConsoleSignInFailed);
        let id = clock::uuid_v7(at, self.parts.entropy.as_ref())?;
        let detail = AuditDetail::default();
        Ok(self.store().add_audit_entry(&AuditEntry { id, at, actor, action, target: None, detail, origin }).await?)
    }

    /// Records an action that changes nothing else that is stored.
    pub(super) async fn record(
        &self,
        actor: &Actor,
        action: AuditAction,
        target: Option<AuditTarget>,
    ) -> Result<(), Error> {
        let entry = self.entry(actor, self.now(), action, target, AuditDetail::default())?;
        Ok(self.store().add_audit_entry(&entry).await?)
    }

    /// The entry of an action.
    pub(super) fn entry(
        &self,
        actor: &Actor,
        at: DateTime<Utc>,
        action: AuditAction,
        target: Option<AuditTarget>,
        detail: AuditDetail,
    ) -> Result<AuditEntry, Error> {
        let id = clock::uuid_v7(at, self.parts.entropy.as_ref())?;
        let (origin, actor) = (actor.origin.clone(), (&actor.caller).into());
        Ok(AuditEntry { id, at, actor, action, target, detail, origin })
    }

    /// The entry of a change of one session; `None` when a user changes the current session, or a login service the data
    /// that it keeps in a session.
    pub(super) fn entry_of_change(
        &self,
        actor: &Actor,
        at: DateTime<Utc>,
        action: AuditAction,
        session: SessionId,
        detail: AuditDetail,
    ) -> Result<Option<AuditEntry>, Error> {
        let is_staff = actor.scope().allows(Scope::ADMIN) && actor.session_id() != Some(session);
        let target = AuditTarget::new(TargetKind::Session, &session);
        is_staff.then(|| self.entry(actor, at, action, Some(target), detail)).transpose()
    }

    /// The entry of an ending of one session; `None` when its own user ends it.
    pub(super) fn entry_of_ending(
        &self,
        actor: &Actor,
        ended: Ended,
        session: SessionId,
    ) -> Result<Option<AuditEntry>, Error> {
        let target = AuditTarget::new(TargetKind::Session, &session);
        self.entry_by_staff(actor, ended, AuditAction::SessionEnded, Some(target), AuditDetail::default())
    }

    /// The entry of an ending of all sessions of a user, or of those of one application; `None` when the user ends them.
    pub(super) fn entry_of_endings(
        &self,
        actor: &Actor,
        ended: Ended,
        user: &UserId,
        application: Option<&str>,
    ) -> Result<Option<AuditEntry>, Error> {
        let target = AuditTarget::new(TargetKind::User, user);
        let detail = AuditDetail::default().with_text("client_id", application);
        self.entry_by_staff(actor, ended, AuditAction::UserSessionsEnded, Some(target), detail)
    }

    /// The entry of an ending of the sessions that match a filter.
    pub(super) fn entry_of_bulk_ending(
        &self,
        actor: &Actor,
        at: DateTime<Utc>,
        filter: &Filter,
        sessions: Option<u32>,
    ) -> Result<AuditEntry, Error> {
        let target = filter.user_id.as_ref().map(|user| AuditTarget::new(TargetKind::User, user));
        let entry = self.entry(actor, at, AuditAction::SessionsEndedInBulk, target, conditions(filter))?;
        Ok(sessions.map_or_else(|| entry.clone(), |sessions| entry.with_sessions(sessions.into())))
    }

    /// The entry of an ending of sessions by their ids.
    pub(super) fn entry_of_named(
        &self,
        actor: &Actor,
        ended: Ended,
        sessions: &[SessionId],
        user: Option<&UserId>,
    ) -> Result<Option<AuditEntry>, Error> {
        let ids = DetailValue::Texts(sessions.iter().map(ToString::to_string).collect());
        let target = user.map(|user| AuditTarget::new(TargetKind::User, user));
        let detail = AuditDetail::default().with(AuditEntry::IDS, Some(ids));
        self.entry_by_staff(actor, ended, AuditAction::SessionsEndedInBulk, target, detail)
    }

    fn entry_by_staff(
        &self,
        actor: &Actor,
        ended: Ended,
        action: AuditAction,
        target: Option<AuditTarget>,
        detail: AuditDetail,
    ) -> Result<Option<AuditEntry>, Error> {
        let is_staff = ended.reason == EndReason::RevokedByAdmin;
        is_staff.then(|| self.entry(actor, ended.at, action, target, detail)).transpose()
    }

    /// The text that replaces an erased user's id in the trail. Entries about the same user stay together, and nobody
    /// without the master secret can tell whose they are.
    pub(super) fn pseudonym(&self, user: &UserId) -> String {
        self.parts.keyring.pseudonym(user.as_str())
    }
}

/// The conditions of a bulk ending. Of users who were found by name or address only their number is kept, because an
/// erasure would not find them here.
fn conditions(filter: &Filter) -> AuditDetail {
    let Filter {
        user_id: _,
        users,
        state: _,
        ended_reason: _,
        client_id,
        device_type,
        ip_address,
        browser,
        os,
        opened_by,
        created,
        last_seen: _,
    } = filter;
    AuditDetail::default()
        .with("users", users.as_ref().map(|users| DetailValue::Number(users.len() as u64)))
        .with_text("client_id", client_id.as_ref())
        .with_text("device_type", device_type.map(DeviceType::as_str))
        .with_text("ip_address", *ip_address)
        .with_text("browser", browser.as_ref())
        .with_text("os", os.as_ref())
        .with_text("opened_by", *opened_by)
        .with_text("created_from", created.from.map(|from| from.to_rfc3339()))
        .with_text("created_to", created.to.map(|to| to.to_rfc3339()))
}

fn written_position(AuditPosition { at, sequence }: AuditPosition) -> [u8; 16] {
    let bytes = [at.timestamp_micros().to_be_bytes(), sequence.to_be_bytes()];
    let mut written = [0; 16];
    written.copy_from_slice(bytes.as_flattened());
    written
}

fn read_position(bytes: &[u8]) -> Option<AuditPosition> {
    let (at, sequence) = bytes.split_first_chunk::<8>()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
    Some(AuditPosition { at, sequence: i64::from_be_bytes(sequence.try_into().ok()?) })
}
