//! Bulk endings.
//!
//! One row with a filter ends every session that matches it, for every check and every list from then on. It is applied
//! to the sessions' own rows afterwards, in batches, by any replica.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tracing::field::display;

use super::error::Error;
use super::facade::Sessions;
use crate::model::{
    Actor, AuditEntry, BulkEnding, ClientCount, Criteria, EndReason, Ended, FieldError, Filter, NameMatch, Opener,
    Owner, Range, Scope, Search, ServiceKeyId, Session, SessionId, Sort, State, UserId,
};
use crate::store::{self, BatchProgress};

/// The most sessions that can be named in one request.
pub const MAX_NAMED: usize = 500;
/// The number up to which matching sessions are counted.
pub const COUNTED_TO: u32 = 10_001;
/// Number of matching sessions that a dry run shows.
const SAMPLE: u32 = 10;

/// The most applications that a dry run tells apart.
const MAX_CLIENTS: usize = 20;

/// The sessions that are to be ended.
#[derive(Debug, Clone)]
pub enum Selection {
    /// These.
    Named(Vec<SessionId>),
    /// All active ones that meet the criteria.
    Matching(Box<Criteria>),
}

impl Selection {
    /// The sessions that a service key opened.
    pub fn opened_with(key: ServiceKeyId) -> Self {
        Self::Matching(Box::new(Filter { opened_by: Some(Opener::Key(key)), ..Filter::default() }.into()))
    }
}

/// The result of a bulk ending or its dry run.
#[derive(Debug, Clone)]
pub struct EndedInBulk {
    /// Number of sessions; at [`COUNTED_TO`]: or more. `None`: they could not be counted in time, and were ended all
    /// the same.
    pub sessions: Option<u32>,
    /// The sessions as they were shown; `None`: they were ended.
    pub shown: Option<DryRun>,
}

/// The sessions that a bulk ending would end.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The newest of them.
    pub sample: Vec<Session>,
    /// Their numbers by application, the largest first, of the largest only. Of more than [`COUNTED_TO`] sessions only so many
    /// are counted.
    pub by_client: Vec<ClientCount>,
    /// The instant from which on opened sessions may not be among them.
    pub counted_at: DateTime<Utc>,
}

impl EndedInBulk {
    fn ended(sessions: Option<u32>) -> Self {
        Self { sessions, shown: None }
    }

    fn shown(sample: Vec<Session>, mut by_client: Vec<ClientCount>, counted_at: DateTime<Utc>) -> Self {
        let sessions = by_client.iter().map(|count| count.sessions).sum();
        by_client.truncate(MAX_CLIENTS);
        Self { sessions: Some(sessions), shown: Some(DryRun { sample, by_client, counted_at }) }
    }
}

impl Sessions {
    /// Ends the selected active sessions, for a caller with `sessions:admin`; a dry run only counts and shows them.
    /// Refused: [`Error::Invalid`] for a filter on columns that change (state, last use), because the match would
    /// depend on the time of the check; for a network of which less is stored, because it would match others too; for
    /// a name or an address that too many users have; and for too many ids.
    ///
    /// Users are found by their names and addresses at the time of the request, so that a later change ends nothing.
    pub async fn revoke(&self, actor: &Actor, selection: Selection, dry_run: bool) -> Result<EndedInBulk, Error> {
        let application = actor.require_of_bound(Scope::ADMIN)?;
        if !dry_run {
            self.require_recent(actor.session())?;
        }
        match (selection, application) {
            (Selection::Named(ids), None) => self.revoke_named(actor, &ids, dry_run).await,
            (Selection::Named(ids), Some(application)) => {
                check_number(&ids)?;
                self.revoke_named(actor, &self.named_within(&ids, application).await?, dry_run).await
            }
            (Selection::Matching(criteria), application) => {
                let Criteria { filter, user_name, email } = *criteria;
                match filter.within(application) {
                    Some(filter) => self.revoke_matching(actor, Criteria { filter, user_name, email }, dry_run).await,
                    None => Ok(self.nothing(dry_run)),
                }
            }
        }
    }

    fn nothing(&self, dry_run: bool) -> EndedInBulk {
        if dry_run { EndedInBulk::shown(Vec::new(), Vec::new(), self.now()) } else { EndedInBulk::ended(Some(0)) }
    }

    async fn revoke_named(&self, actor: &Actor, ids: &[SessionId], dry_run: bool) -> Result<EndedInBulk, Error> {
        check_number(ids)?;
        let now = self.now();
        if dry_run {
            let found = self.store().sessions_of_tokens(ids).await?;
            let mut sample: Vec<Session> =
                found.into_iter().map(|found| found.session).filter(|session| session.is_active(now)).collect();
            let by_client = by_client(&sample);
            sample.truncate(SAMPLE as usize);
            return Ok(EndedInBulk::shown(sample, by_client, now));
        }
        let reason = EndReason::RevokedByAdmin;
        let entry = self.entry_of_named(actor, Ended { at: now, reason }, ids, None)?;
        let ended = self.store().end_named_sessions(ids, Owner::Anyone, reason, now, entry.as_ref()).await?;
        for (id, user) in &ended {
            self.ended(user, &[*id], reason, actor.credential());
        }
        Ok(EndedInBulk::ended(Some(u32::try_from(ended.len()).unwrap_or(u32::MAX))))
    }

    async fn revoke_matching(&self, actor: &Actor, criteria: Criteria, dry_run: bool) -> Result<EndedInBulk, Error> {
        let filter = &criteria.filter;
        if filter.ended_reason.is_some() {
            return Err(
                FieldError::new("ended_reason", "must not be a condition: only active sessions are ended").into()
            );
        }
        for (name, given) in [("state", filter.state.is_some()), ("last_seen", filter.last_seen != Range::default())] {
            if given {
                return Err(FieldError::new(name, "must not be a condition: it changes with use").into());
            }
        }
        if filter.ip_address.is_some_and(|network| !self.policy().ip_storage.tells(network)) {
            let message = "is more precise than the addresses that this server stores";
            return Err(FieldError::new("ip_address", message).into());
        }
        let name = criteria.user_name.as_deref().map(NameMatch::Whole);
        let Some(filter) = self.of_found_users(&criteria, name, false).await? else {
            return Ok(self.nothing(dry_run));
        };
        let active = Filter { state: Some(State::Active), ..filter.clone() };
        if dry_run {
            let counted_at = self.now();
            let by_client = self.store().count_sessions_by_client(self.newest(&active, COUNTED_TO)).await?;
            let sample = self.store().search_sessions(self.newest(&active, SAMPLE)).await?;
            return Ok(EndedInBulk::shown(sample, by_client, counted_at));
        }
        let sessions = match self.store().count_sessions(self.newest(&active, COUNTED_TO)).await {
            // No index serves every filter, and an incident does not wait for one.
            Err(store::Error::TooSlow) => None,
            counted => Some(counted?),
        };
        self.require_recent_to_end_many(actor, sessions)?;
        let ended = Ended { at: self.now(), reason: EndReason::RevokedByAdmin };
        let entry = self.entry_of_bulk_ending(actor, ended.at, &filter, sessions)?;
        let ending = BulkEnding { filter, except: None, ended };
        self.end_in_bulk(ending, sessions, actor.credential(), Some(&entry)).await?;
        Ok(EndedInBulk::ended(sessions))
    }

    /// Ends a user's sessions, of which there are too many for one statement; answers how many, counted up to
    /// [`COUNTED_TO`].
    pub(super) async fn end_in_bulk_of(
        &self,
        user: &UserId,
        except: Option<SessionId>,
        ended: Ended,
        by: Opener,
        entry: Option<&AuditEntry>,
    ) -> Result<usize, Error> {
        let filter = Filter { user_id: Some(user.clone()), ..Filter::default() };
        let active = Filter { state: Some(State::Active), ..filter.clone() };
        let counted = self.store().count_sessions(self.newest(&active, COUNTED_TO)).await?;
        // The one that is kept is among them, unless all the others are idle and it went meanwhile.
        let others = counted.saturating_sub(u32::from(except.is_some()));
        let entry = entry.map(|entry| entry.with_sessions(others.into()));
        self.end_in_bulk(BulkEnding { filter, except, ended }, Some(others), by, entry.as_ref()).await?;
        Ok(others as usize)
    }

    /// The search for the newest sessions that match, for a decision that follows.
    pub(super) fn newest<'a>(&self, filter: &'a Filter, limit: u32) -> Search<'a> {
        Search {
            owner: Owner::Anyone,
            filter,
            sort: Sort::default(),
            after: None,
            limit,
            now: self.now(),
            may_lag: false,
        }
    }

    /// `sessions`: their number for the log, as in [`EndedInBulk::sessions`].
    async fn end_in_bulk(
        &self,
        ending: BulkEnding,
        sessions: Option<u32>,
        by: Opener,
        entry: Option<&AuditEntry>,
    ) -> Result<(), Error> {
        self.store().end_in_bulk(&ending, entry).await?;
        self.cache.invalidate_all();
        self.signals.written();
        self.signals.bulk_ending();
        let BulkEnding { filter, except, ended } = ending;
        let (conditions, except, reason) = (conditions(&filter), except.map(display), ended.reason.as_str());
        tracing::warn!(conditions, except, sessions, reason, %by, "sessions ended in bulk");
        Ok(())
    }

    /// Applies bulk endings to their sessions' rows, until none is left or another process does it.
    pub async fn apply_bulk_endings(&self) -> Result<(), Error> {
        while self.store().apply_bulk_ending(self.now()).await? != BatchProgress::Idle {}
        Ok(())
    }

    /// Returns when a bulk ending may have to be applied.
    pub async fn bulk_ending_made(&self) {
        self.signals.bulk_ending_made().await;
    }
}

/// The numbers of sessions by application, the largest first.
fn by_client(sessions: &[Session]) -> Vec<ClientCount> {
    let mut counts = BTreeMap::new();
    for session in sessions {
        *counts.entry(session.client_id.clone()).or_default() += 1;
    }
    let mut counts: Vec<ClientCount> =
        counts.into_iter().map(|(client_id, sessions)| ClientCount { client_id, sessions }).collect();
    counts.sort_by_key(|count| Reverse(count.sessions));
    counts
}

fn check_number(ids: &[SessionId]) -> Result<(), FieldError> {
    if ids.len() <= MAX_NAMED {
        return Ok(());
    }
    Err(FieldError::new("ids", format!("must have at most {MAX_NAMED} entries")))
}

/// The conditions of a filter for the log, complete, because an operator repeats the ending after a restore.
fn conditions(filter: &Filter) -> String {
    let Filter {
        user_id,
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
    let range = |instant: Option<DateTime<Utc>>| instant.map(|instant| instant.to_rfc3339());
    let all = [
        user_id.as_ref().map(|user| format!("user_id={user}")),
        users.as_ref().map(|users| format!("users={:?}", users.iter().map(UserId::as_str).collect::<Vec<_>>())),
        client_id.as_ref().map(|client| format!("client_id={client:?}")),
        device_type.map(|kind| format!("device_type={}", kind.as_str())),
        ip_address.map(|network| format!("ip_address={network}")),
        browser.as_ref().map(|browser| format!("browser={browser:?}")),
        os.as_ref().map(|os| format!("os={os:?}")),
        opened_by.map(|opener| format!("opened_by={opener}")),
        range(created.from).map(|from| format!("created_from={from}")),
        range(created.to).map(|to| format!("created_to={to}")),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
