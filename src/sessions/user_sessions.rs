//! One user's active sessions in the hands of staff, or of the user itself: for dialects whose lists have pages and whose
//! handles may be seconds.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use super::facade::Sessions;
use super::query::UserSessions;
use crate::model::{
    Actor, Caller, EndReason, Ended, Filter, Owner, Position, Scope, Search, Session, SessionId, SignedIn, Sort, State,
    UserId,
};
use crate::store::MAX_LISTED;

/// A user whose sessions the caller may manage, because it has `sessions:admin` or is that user.
#[derive(Debug, Clone)]
pub struct ManagedUser {
    actor: Actor,
    user: UserId,
}

/// The handle that a client calls a session by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handle {
    /// The session's id.
    Id(SessionId),
    /// The whole second that it was opened in, which several of a user's sessions may share.
    OpenedIn(DateTime<Utc>),
}

impl Handle {
    /// The first instant after the second.
    fn end_of(second: DateTime<Utc>) -> DateTime<Utc> {
        second.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(second)
    }

    fn means(self, session: &Session) -> bool {
        match self {
            Self::Id(id) => session.id == id,
            Self::OpenedIn(second) => (second..Self::end_of(second)).contains(&session.created_at),
        }
    }
}

impl ManagedUser {
    /// Lets a caller manage the sessions of the user of that id. Refused: [`Error::Forbidden`] first, and
    /// [`Error::UserNotFound`] for what can be no user's id.
    pub fn new(actor: Actor, user: String) -> Result<Self, Error> {
        let own = actor.session().is_some_and(|session| session.user_id.as_str() == user);
        if !own {
            actor.require(Scope::ADMIN)?;
        }
        let user = UserId::parse(user).map_err(|_| Error::UserNotFound)?;
        Ok(Self { actor, user })
    }

    /// Lets a signed-in user manage its own sessions.
    pub fn own(me: SignedIn) -> Self {
        let user = me.session.user_id.clone();
        Self { actor: Caller::User(Box::new(me)).into(), user }
    }

    fn is_own(&self) -> bool {
        self.actor.session().is_some_and(|session| session.user_id == self.user)
    }

    fn reason(&self, id: Option<SessionId>) -> EndReason {
        match id {
            Some(id) if self.actor.session_id() == Some(id) => EndReason::Logout,
            _ if self.is_own() => EndReason::RevokedByUser,
            _ => EndReason::RevokedByAdmin,
        }
    }
}

impl Sessions {
    /// A page of the user's active sessions, newest first, and the number of all. Refused: [`Error::UserNotFound`].
    pub async fn managed_sessions(
        &self,
        managed: &ManagedUser,
        offset: usize,
        limit: usize,
    ) -> Result<UserSessions, Error> {
        let newest = self.active_sessions_of(&managed.user).await?;
        if newest.total == 0 {
            self.refuse_unknown_user(managed).await?;
        }
        let (total, are_all) = (newest.total, newest.are_all());
        let (mut skipped, mut part, mut sessions) = (0, newest.sessions, Vec::new());
        loop {
            let last = part.last().map(|last| Position { at: last.created_at, id: last.id });
            let skip = offset.saturating_sub(skipped).min(part.len());
            skipped += skip;
            sessions.extend(part.into_iter().skip(skip).take(limit - sessions.len()));
            if are_all || last.is_none() || sessions.len() >= limit || offset >= total {
                return Ok(UserSessions { sessions, total });
            }
            part = self.older_sessions_of(&managed.user, last).await?;
        }
    }

    /// The next [`MAX_LISTED`] of a user's active sessions.
    async fn older_sessions_of(&self, user: &UserId, after: Option<Position>) -> Result<Vec<Session>, Error> {
        let filter = &Filter { state: Some(State::Active), ..Filter::default() };
        let (owner, sort, now) = (Owner::User(user), Sort::default(), self.now());
        let search = Search { owner, filter, sort, after, limit: MAX_LISTED, now, may_lag: false };
        let mut sessions = self.store().search_sessions(search).await?;
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        Ok(sessions)
    }

    /// One of the user's active sessions; no handle is one that no session is called by. Refused: [`Error::UserNotFound`], [`Error::SessionNotFound`], and
    /// [`Error::AmbiguousSession`] when several were opened in that second.
    pub async fn managed_session(&self, managed: &ManagedUser, handle: Option<Handle>) -> Result<Session, Error> {
        let mut found = match handle {
            None => Vec::new(),
            Some(handle) => self.active_sessions_called(&managed.user, handle).await?,
        };
        if found.len() > 1 {
            return Err(Error::AmbiguousSession(found.iter().map(|session| session.id).collect()));
        }
        match found.pop() {
            Some(session) => Ok(session),
            None => {
                self.refuse_unknown_user(managed).await?;
                Err(Error::SessionNotFound)
            }
        }
    }

    async fn active_sessions_called(&self, user: &UserId, handle: Handle) -> Result<Vec<Session>, Error> {
        let now = self.now();
        let mut found: Vec<Session> = match handle {
            Handle::Id(id) => self.store().session(id, Owner::User(user)).await?.into_iter().collect(),
            Handle::OpenedIn(second) => {
                self.store().active_sessions_opened(user, second, Handle::end_of(second), now).await?
            }
        };
        for session in &mut found {
            self.activity.overlay(session);
        }
        found.retain(|session| session.is_active(now));
        Ok(found)
    }

    /// Ends what [`Sessions::managed_session`] finds, and answers it as it was.
    pub async fn end_managed_session(&self, managed: &ManagedUser, handle: Option<Handle>) -> Result<Session, Error> {
        let session = self.managed_session(managed, handle).await?;
        self.require_recent_to_end(managed.actor.session(), session.id)?;
        let (at, reason) = (self.now(), managed.reason(Some(session.id)));
        let entry = self.entry_of_ending(&managed.actor, Ended { at, reason }, session.id)?;
        if !self.store().end_active_session(session.id, &managed.user, reason, at, entry.as_ref()).await? {
            return Err(Error::SessionNotFound);
        }
        self.ended(&managed.user, &[session.id], reason, managed.actor.credential());
        Ok(session)
    }

    /// Ends the active sessions among those named, and answers how many. A second that several were opened in names
    /// none: the wrong one is never ended. Refused: [`Error::UserNotFound`].
    pub async fn end_managed_sessions(&self, managed: &ManagedUser, handles: &[Handle]) -> Result<usize, Error> {
        let newest = self.active_sessions_of(&managed.user).await?;
        if newest.total == 0 {
            self.refuse_unknown_user(managed).await?;
        }
        let mut named = BTreeSet::new();
        for handle in handles {
            let meant: Vec<SessionId> = if newest.are_all() {
                newest.sessions.iter().filter(|session| handle.means(session)).map(|session| session.id).collect()
            } else {
                let called = self.active_sessions_called(&managed.user, *handle).await?;
                called.iter().map(|session| session.id).collect()
            };
            if let [only] = meant[..] {
                named.insert(only);
            }
        }
        if named.is_empty() {
            return Ok(0);
        }
        if let Some(other) = named.iter().find(|id| managed.actor.session_id() != Some(**id)) {
            self.require_recent_to_end(managed.actor.session(), *other)?;
        }
        let (named, reason) = (Vec::from_iter(named), managed.reason(None));
        let (owner, at) = (Owner::User(&managed.user), self.now());
        let entry = self.entry_of_named(&managed.actor, Ended { at, reason }, &named, Some(&managed.user))?;
        let ended = self.store().end_named_sessions(&named, owner, reason, at, entry.as_ref()).await?;
        let ended: Vec<SessionId> = ended.into_iter().map(|(id, _)| id).collect();
        self.ended(&managed.user, &ended, reason, managed.actor.credential());
        Ok(ended.len())
    }

    /// Ends all of the user's active sessions, the caller's own too, and answers how many. Refused:
    /// [`Error::UserNotFound`].
    pub async fn end_all_managed(&self, managed: &ManagedUser) -> Result<usize, Error> {
        let ManagedUser { actor, user } = managed;
        self.require_recent(actor.session())?;
        let ended = Ended { at: self.now(), reason: managed.reason(None) };
        let entry = self.entry_of_endings(actor, ended, user, None)?;
        let ended = self.end_all(user, None, ended, actor.credential(), entry.as_ref()).await?;
        if ended == 0 {
            self.refuse_unknown_user(managed).await?;
        }
        Ok(ended)
    }

    /// Asked only where no session was found: whoever has an active one is known, and so is the caller.
    async fn refuse_unknown_user(&self, managed: &ManagedUser) -> Result<(), Error> {
        if managed.is_own() || self.store().user(&managed.user).await?.is_some() {
            Ok(())
        } else {
            Err(Error::UserNotFound)
        }
    }
}
