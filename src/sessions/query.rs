//! Showing sessions.

use std::cmp::Reverse;

use super::error::Error;
use super::facade::Sessions;
use super::search_cursor::{self, Cursor};
use crate::model::{
    Caller, Criteria, FieldError, Filter, MAX_PAGE, NameMatch, Owner, Position, Scope, Search, Session, SessionId,
    SignedIn, Sort, SortField, UserId,
};
use crate::store::MAX_LISTED;

/// One page of a search.
#[derive(Debug, Clone)]
pub struct Page {
    /// The sessions on it.
    pub sessions: Vec<Session>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

/// A user's active sessions, newest first.
#[derive(Debug, Clone)]
pub struct UserSessions {
    /// At most [`MAX_LISTED`] of them.
    pub sessions: Vec<Session>,
    /// The number of all, listed or not.
    pub total: usize,
}

impl UserSessions {
    /// Whether none is left out.
    pub(super) fn are_all(&self) -> bool {
        self.sessions.len() >= self.total
    }
}

impl Sessions {
    /// A user's active sessions, the newest [`MAX_LISTED`] if there are more.
    pub(super) async fn active_sessions_of(&self, user: &UserId) -> Result<UserSessions, Error> {
        let mut sessions = self.user_sessions_loader.submit(user.clone()).await?;
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        let listed = sessions.len();
        let may_be_more = u32::try_from(listed).is_ok_and(|listed| listed >= MAX_LISTED);
        let total = if may_be_more { self.count_active_sessions_of(user).await?.max(listed) } else { listed };
        Ok(UserSessions { sessions, total })
    }

    /// A user's active sessions, newest first, for a caller with `sessions:read`.
    pub async fn sessions_of(&self, caller: &Caller, user: &UserId) -> Result<UserSessions, Error> {
        if let Some(application) = caller.require_of_bound(Scope::READ)? {
            return self.active_sessions_within(user, application).await;
        }
        self.active_sessions_of(user).await
    }

    /// The user's own active sessions, newest first. The caller's session is always listed: in place of the last one if it
    /// is older than all that are listed.
    pub async fn own_sessions(&self, me: &SignedIn) -> Result<UserSessions, Error> {
        let mut own = self.active_sessions_of(&me.session.user_id).await?;
        if !own.are_all() && own.sessions.iter().all(|session| session.id != me.session.id) {
            own.sessions.pop();
            own.sessions.push(me.session.clone());
        }
        Ok(own)
    }

    /// The user's own active sessions, the one used last first.
    pub async fn recent_own_sessions(&self, me: &SignedIn) -> Result<Vec<Session>, Error> {
        let mut sessions = self.own_sessions(me).await?.sessions;
        sessions.sort_by_key(|session| Reverse((session.last_seen_at, session.id)));
        Ok(sessions)
    }

    /// The number of a user's active sessions.
    pub async fn count_active_sessions_of(&self, user: &UserId) -> Result<usize, Error> {
        let count = self.store().count_active_sessions_of(user, self.now()).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// One session, whatever its state: a user's own, or anybody's for a caller with `sessions:read`.
    pub async fn session(&self, caller: &Caller, id: SessionId) -> Result<Session, Error> {
        let owner = self.reach_session(caller, Scope::READ, id).await?;
        let mut session = self.store().session(id, owner).await?.ok_or(Error::SessionNotFound)?;
        self.activity.overlay(&mut session);
        Ok(session)
    }

    /// One of the user's own sessions that nobody ended: it stands, or has expired.
    pub async fn own_session(&self, user: &SignedIn, id: SessionId) -> Result<Session, Error> {
        let found = self.store().session(id, Owner::User(&user.session.user_id)).await?;
        let mut session = found.filter(|session| session.ended.is_none()).ok_or(Error::SessionNotFound)?;
        self.activity.overlay(&mut session);
        Ok(session)
    }

    /// One page of a search over all users' sessions, for a caller with `sessions:read`.
    ///
    /// `limit` is 1 to [`MAX_PAGE`]; `cursor` is what the page before answered. Refused: [`Error::Invalid`], also for a
    /// cursor of another search or a name of too many users, and [`Error::SearchTooBroad`].
    pub async fn search(
        &self,
        caller: &Caller,
        criteria: &Criteria,
        sort: Sort,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Page, Error> {
        let application = caller.require_of_bound(Scope::READ)?;
        check_limit(limit)?;
        let Criteria { filter, user_name, email } = criteria.clone();
        let owner = Owner::Anyone;
        search_cursor::check(&filter, owner, sort)?;
        let ip_address = filter.ip_address.map(|network| self.policy().ip_storage.found_by(network));
        let nothing = Page { sessions: Vec::new(), next_cursor: None };
        let Some(filter) = (Filter { ip_address, ..filter }).within(application) else { return Ok(nothing) };
        let criteria = Criteria { filter, user_name, email };
        let keys = &self.parts.keyring;
        let after = cursor.map(|text| Cursor::read(keys, owner, &criteria, sort, text)).transpose()?;
        let name = criteria.user_name.as_deref().map(NameMatch::Prefix);
        let Some(filter) = &self.of_found_users(&criteria, name, true).await? else { return Ok(nothing) };
        // One more than asked for tells whether there is a next page.
        let search = Search { owner, filter, sort, after, limit: limit + 1, now: self.now(), may_lag: true };
        let mut sessions = self.store().search_sessions(search).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = sessions.len() > page;
        sessions.truncate(page);
        let next_cursor = sessions.last().filter(|_| more).map(|last| {
            Cursor::write(keys, owner, &criteria, sort, Position { at: sorted_by(last, sort), id: last.id })
        });
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        Ok(Page { sessions, next_cursor })
    }
}

impl Sessions {
    /// A page of a user's sessions in whatever state, newest first, after a position; empty after the last.
    pub(crate) async fn page_of(&self, user: &UserId, after: Option<Position>) -> Result<Vec<Session>, Error> {
        let filter = &Filter { user_id: Some(user.clone()), ..Filter::default() };
        let (owner, sort) = (Owner::Anyone, Sort::default());
        let search = Search { owner, filter, sort, after, limit: MAX_PAGE, now: self.now(), may_lag: false };
        let mut page = self.store().search_sessions(search).await?;
        for session in &mut page {
            self.activity.overlay(session);
        }
        Ok(page)
    }
}

/// Refuses a size that no page can have.
pub(super) fn check_limit(limit: u32) -> Result<(), FieldError> {
    if limit == 0 || limit > MAX_PAGE {
        return Err(FieldError::new("limit", format!("must be from 1 to {MAX_PAGE}")));
    }
    Ok(())
}

fn sorted_by(session: &Session, sort: Sort) -> chrono::DateTime<chrono::Utc> {
    match sort.field {
        SortField::CreatedAt => session.created_at,
        SortField::LastSeenAt => session.last_seen_at,
        SortField::ExpiresAt => session.expires_at,
    }
}
