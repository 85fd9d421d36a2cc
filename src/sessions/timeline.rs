//! The timeline of one session: what its row tells, and what staff did to it by the audit trail.

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use super::facade::Sessions;
use crate::model::{
    AuditAction, AuditActor, AuditDetail, AuditEntry, AuditFilter, AuditSearch, AuditTarget, Caller, DetailValue,
    EndReason, Ended, Range, Scope, Session, SessionId, StoredAuditEntry, TargetKind,
};

/// The most events of a timeline.
const MAX_EVENTS: u32 = 200;
/// The most events that the row of a session tells.
const OF_ROW: u32 = 5;
/// The most entries of one microsecond that are looked at for an ending of many sessions.
const AT_ONCE: u32 = 100;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The session was opened.
    Opened,
    /// The user authenticated, before the opening or anew.
    Authenticated,
    /// Staff moved the end.
    Extended,
    /// Staff changed the device's name, the metadata or the claims.
    Changed,
    /// The last use.
    Seen,
    /// The session was ended.
    Ended,
    /// The session expires, or has expired, unless it is used or extended.
    Expires,
}

/// An event in the life of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEvent {
    /// The time.
    pub at: DateTime<Utc>,
    /// The kind.
    pub kind: EventKind,
    /// The actor, if it is known.
    pub by: Option<AuditActor>,
    /// The reason of the ending.
    pub reason: Option<EndReason>,
    /// The particulars.
    pub detail: AuditDetail,
}

impl TimelineEvent {
    fn new(at: DateTime<Utc>, kind: EventKind) -> Self {
        Self { at, kind, by: None, reason: None, detail: AuditDetail::default() }
    }
}

impl Sessions {
    /// The events of a session, oldest first, for a caller with `sessions:read`: the newest 200 if there are
    /// more. A key that is bound to an application is refused, because the events name staff.
    pub async fn timeline(&self, caller: &Caller, id: SessionId) -> Result<Vec<TimelineEvent>, Error> {
        caller.require(Scope::READ)?;
        let session = self.session(caller, id).await?;
        let filter = AuditFilter { target: Some(id.to_string()), ..AuditFilter::default() };
        let entries = self.entries(&filter, MAX_EVENTS - OF_ROW).await?;
        let mut events = of_row(&session);
        events.extend(entries.iter().filter_map(of_entry));
        if let Some(ended) = session.ended {
            let by = self.ended_by(&session, ended, &entries).await?;
            events.push(TimelineEvent {
                by,
                reason: Some(ended.reason),
                ..TimelineEvent::new(ended.at, EventKind::Ended)
            });
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// The actor who ended a session: that of the entry of its own ending, or of an ending of many sessions at the very instant
    /// of the session's end.
    async fn ended_by(&self, session: &Session, ended: Ended, own: &[AuditEntry]) -> Result<Option<AuditActor>, Error> {
        if let Some(entry) = own.iter().find(|entry| entry.action == AuditAction::SessionEnded) {
            return Ok(Some(entry.actor.clone()));
        }
        if !matches!(ended.reason, EndReason::RevokedByAdmin | EndReason::UserBanned | EndReason::UserDeleted) {
            return Ok(None);
        }
        let at = Range { from: Some(ended.at), to: Some(ended.at + TimeDelta::microseconds(1)) };
        let entries = self.entries(&AuditFilter { at, ..AuditFilter::default() }, AT_ONCE).await?;
        let users = [session.user_id.to_string(), self.pseudonym(&session.user_id)];
        let found = entries.into_iter().find(|entry| may_have_ended(entry, session.id, &users));
        Ok(found.map(|entry| entry.actor))
    }

    async fn entries(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let found = self.store().search_audit(AuditSearch { filter, after: None, limit }).await?;
        Ok(found.into_iter().map(|StoredAuditEntry { sequence: _, entry }| entry).collect())
    }
}

/// Whether an entry is of an ending that may have included the session, whose user has one of these ids.
fn may_have_ended(entry: &AuditEntry, session: SessionId, users: &[String]) -> bool {
    let of_many = [
        AuditAction::SessionsEndedInBulk,
        AuditAction::UserSessionsEnded,
        AuditAction::UserBanned,
        AuditAction::UserDeleted,
    ];
    let of_user = match &entry.target {
        None => true,
        Some(AuditTarget { kind: TargetKind::User, id }) => users.contains(id),
        Some(_) => false,
    };
    let named = entry.detail.0.iter().find_map(|(name, value)| match value {
        DetailValue::Texts(ids) if name == AuditEntry::IDS => Some(ids),
        _ => None,
    });
    of_many.contains(&entry.action) && of_user && named.is_none_or(|ids| ids.contains(&session.to_string()))
}

fn of_row(session: &Session) -> Vec<TimelineEvent> {
    let by = session.opened_by.map(AuditActor::of_credential);
    // After a later authentication the row names the credential of that one.
    let (opener, authenticator) = if session.least_counter == 0 { (by, None) } else { (None, by) };
    let detail = AuditDetail::default()
        .with_text("client_id", session.client_id.as_ref())
        .with_text("ip_address", session.ip_address);
    let mut events =
        vec![TimelineEvent { by: opener, detail, ..TimelineEvent::new(session.created_at, EventKind::Opened) }];
    if session.authenticated_at != session.created_at {
        let event = TimelineEvent::new(session.authenticated_at, EventKind::Authenticated);
        events.push(TimelineEvent { by: authenticator, ..event });
    }
    if session.last_seen_at > session.created_at {
        let detail = AuditDetail::default().with_text("ip_address", session.last_ip_address());
        events.push(TimelineEvent { detail, ..TimelineEvent::new(session.last_seen_at, EventKind::Seen) });
    }
    if session.ended.is_none() {
        events.push(TimelineEvent::new(session.due_at(None), EventKind::Expires));
    }
    events
}

fn of_entry(entry: &AuditEntry) -> Option<TimelineEvent> {
    let kind = match entry.action {
        AuditAction::SessionExtended => EventKind::Extended,
        AuditAction::SessionChanged => EventKind::Changed,
        _ => return None,
    };
    let (by, detail) = (Some(entry.actor.clone()), entry.detail.clone());
    Some(TimelineEvent { by, detail, ..TimelineEvent::new(entry.at, kind) })
}
