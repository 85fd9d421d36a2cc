//! A user's account page: who may open it, what it shows, and what it ends.
//!
//! The user opens it in a session, or a service makes a one-time link. A link becomes a visit: the browser that opened it
//! sees and ends the user's sessions for a while. A visit is no session and no credential for anything else.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::bound::is_of;
use super::error::{Error, Refusal};
use super::facade::Sessions;
use super::feed::endings::Termination;
use super::feed::events::EventStream;
use super::one_time_links::LinkDraft;
use crate::model::{
    Actor, AuditAction, AuditTarget, Caller, EndReason, Ended, Filter, LinkPurpose, MAX_PAGE, OneTimeLink, Opener,
    Owner, Scope, Search, Session, SessionId, SignedIn, Sort, TargetKind, User, UserId,
};
use crate::tokens::LinkText;

/// The time in which an account link must be opened.
const LINK_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// The time for which a browser that opened one sees the page.
pub const VISIT_LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// The age up to which sessions that are over are shown.
const SHOWN_FOR: TimeDelta = TimeDelta::days(30);
/// The most sessions that are shown, of those that are over.
const MAX_OVER: usize = 10;
/// The most sessions that are shown, of those that are active.
const MAX_ACTIVE: usize = 100;

/// A browser in which an account link was opened.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The user whose page it sees.
    pub user: User,
    /// The application whose sessions alone it sees; `None`: those of all.
    application: Option<String>,
    made_by: Opener,
}

/// The reader of a user's account page.
#[derive(Debug, Clone)]
pub enum AccountAccess {
    /// The user, in a session.
    Own(Box<SignedIn>),
    /// A browser in which an account link was opened.
    Visit(Box<Visit>),
}

/// A user's sessions, as the account page shows them.
#[derive(Debug, Clone)]
pub struct AccountSessions {
    /// The session of the request; `None` for a visit.
    pub current: Option<Session>,
    /// The other active sessions, the one used last first.
    pub others: Vec<Session>,
    /// The number of further active sessions, which are not shown.
    pub more: usize,
    /// Sessions that are over since not long ago, the latest first.
    pub over: Vec<(Session, Termination)>,
}

impl AccountAccess {
    /// The user whose page it is.
    pub fn user(&self) -> &UserId {
        match self {
            Self::Own(me) => &me.session.user_id,
            Self::Visit(visit) => &visit.user.id,
        }
    }

    fn application(&self) -> Option<&str> {
        match self {
            Self::Own(_) => None,
            Self::Visit(visit) => visit.application.as_deref(),
        }
    }

    /// The user in a session. Refused: a visit, with [`Refusal::NotAUser`].
    pub fn own(&self) -> Result<&SignedIn, Error> {
        match self {
            Self::Own(me) => Ok(me),
            Self::Visit(_) => Err(Refusal::NotAUser.into()),
        }
    }
}

impl Sessions {
    /// Makes a one-time link to a user's account page, for a caller with `sessions:write`, and answers its end too. The
    /// link of a key that is bound to an application shows the sessions of that application only. Refused:
    /// [`Error::UserNotFound`] and [`Error::UserBanned`], of which a bound key does not learn.
    pub async fn make_account_link(&self, actor: &Actor, id: &UserId) -> Result<(LinkText, DateTime<Utc>), Error> {
        let application = actor.require_of_bound(Scope::WRITE)?;
        self.require_recent(actor.session())?;
        if application.is_none() {
            let user = self.store().user(id).await?.ok_or(Error::UserNotFound)?;
            if user.banned_at.is_some() {
                return Err(Error::UserBanned);
            }
        }
        let draft = LinkDraft {
            purpose: LinkPurpose::Account,
            user: Some(id.clone()),
            application: application.map(ToOwned::to_owned),
            made_by: actor.credential(),
            lifetime: LINK_LIFETIME,
        };
        // A login service makes them all day.
        if actor.scope().allows(Scope::ADMIN) {
            let target = AuditTarget::new(TargetKind::User, id);
            self.record(actor, AuditAction::AccountLinkMade, Some(target)).await?;
        }
        self.make_link(draft).await
    }

    /// Takes an account link, and answers the text of the visit that it becomes. Refused: [`Refusal::Link`].
    pub async fn begin_visit(&self, link: &str) -> Result<LinkText, Error> {
        let OneTimeLink { user, application, made_by, .. } = self.take_link(link, LinkPurpose::Account).await?;
        let purpose = LinkPurpose::Visit;
        let (text, _) =
            self.make_link(LinkDraft { purpose, user, application, made_by, lifetime: VISIT_LIFETIME }).await?;
        Ok(text)
    }

    /// The visit of that text. Refused: [`Refusal::Link`], also when the user was banned or deleted meanwhile, or the maker
    /// of the link may do nothing any more.
    pub async fn visit(&self, text: &str) -> Result<AccountAccess, Error> {
        let text = LinkText::parse(text).map_err(|_| Refusal::Link)?;
        let found = self.store().find_one_time_link(text.hash(), LinkPurpose::Visit, self.now()).await?;
        let OneTimeLink { user, application, made_by, .. } = found.ok_or(Refusal::Link)?;
        let id = user.ok_or(Refusal::Link)?;
        let user = self.store().user(&id).await?.filter(|user| user.banned_at.is_none()).ok_or(Refusal::Link)?;
        if !self.may_still_act(made_by).await? {
            return Err(Refusal::Link.into());
        }
        Ok(AccountAccess::Visit(Box::new(Visit { user, application, made_by })))
    }

    /// Ends the visit of that text. One that is over, or a text that is none, changes nothing.
    pub async fn end_visit(&self, text: &str) -> Result<(), Error> {
        let Ok(text) = LinkText::parse(text) else { return Ok(()) };
        self.store().take_one_time_link(text.hash(), LinkPurpose::Visit, self.now()).await?;
        Ok(())
    }

    /// The sessions on the page.
    pub async fn account_sessions(&self, access: &AccountAccess) -> Result<AccountSessions, Error> {
        let (user, own) = (access.user(), access.own().ok());
        let listed = match (own, access.application()) {
            (Some(me), _) => self.own_sessions(me).await?,
            (None, Some(application)) => self.active_sessions_within(user, application).await?,
            (None, None) => self.active_sessions_of(user).await?,
        };
        let (mut others, total) = (listed.sessions, listed.total);
        let current = own.and_then(|me| {
            let at = others.iter().position(|session| session.id == me.session.id);
            at.map(|at| others.remove(at))
        });
        others.sort_by_key(|session| Reverse((session.last_seen_at, session.id)));
        others.truncate(MAX_ACTIVE);
        let more = total.saturating_sub(others.len() + usize::from(current.is_some()));
        Ok(AccountSessions { current, others, more, over: self.over_lately(access).await? })
    }

    /// The sessions that are over since not long ago, among the newest of the user.
    async fn over_lately(&self, access: &AccountAccess) -> Result<Vec<(Session, Termination)>, Error> {
        let user = access.user();
        let client_id = access.application().map(ToOwned::to_owned);
        let filter = &Filter { user_id: Some(user.clone()), client_id, ..Filter::default() };
        let (owner, sort, now) = (Owner::User(user), Sort::default(), self.now());
        let search = Search { owner, filter, sort, after: None, limit: MAX_PAGE, now, may_lag: false };
        let found = self.store().search_sessions(search).await?;
        let over = found.into_iter().filter_map(|session| self.terminated(&session).map(|over| (session, over)));
        let mut over: Vec<_> = over.filter(|(_, over)| now - over.at <= SHOWN_FOR).collect();
        over.sort_by_key(|(session, over)| Reverse((over.at, session.id)));
        over.truncate(MAX_OVER);
        Ok(over)
    }

    /// Ends one of the sessions on the page, the current one too. One that is over already is left as it is. Refused:
    /// [`Error::SessionNotFound`] for another user's, and for another application's.
    pub async fn end_on_account(&self, access: &AccountAccess, id: SessionId) -> Result<(), Error> {
        let owner = Owner::User(access.user());
        match access {
            AccountAccess::Own(me) => {
                self.require_recent_to_end(Some(&me.session), id)?;
                let reason = if id == me.session.id { EndReason::Logout } else { EndReason::RevokedByUser };
                let ended = Ended { at: self.now(), reason };
                self.end_of(owner, id, ended, me.credential(), None).await
            }
            AccountAccess::Visit(visit) => {
                if let Some(application) = access.application() {
                    let session = self.store().session(id, owner).await?.ok_or(Error::SessionNotFound)?;
                    if !is_of(&session, application) {
                        return Err(Error::SessionNotFound);
                    }
                }
                let ended = Ended { at: self.now(), reason: EndReason::RevokedByUser };
                self.end_of(owner, id, ended, visit.made_by, None).await
            }
        }
    }

    /// Ends all sessions on the page but the current one, and answers how many.
    pub async fn end_others_on_account(&self, access: &AccountAccess) -> Result<usize, Error> {
        let reason = EndReason::RevokedByUser;
        match access {
            AccountAccess::Own(me) => self.end_all_own(me, true).await,
            AccountAccess::Visit(visit) => match access.application() {
                Some(application) => self.end_all_within(access.user(), application, reason, visit.made_by, None).await,
                None => {
                    let ended = Ended { at: self.now(), reason };
                    self.end_all(access.user(), None, ended, visit.made_by, None).await
                }
            },
        }
    }

    /// Names the device of one of the user's sessions; an empty text takes the name away. Refused: a visit,
    /// [`Error::SessionNotFound`] for another user's session, [`Error::SessionNotActive`], and [`Error::Invalid`].
    pub async fn rename_on_account(&self, access: &AccountAccess, id: SessionId, name: &str) -> Result<(), Error> {
        let owner = Owner::User(&access.own()?.session.user_id);
        let name = name.trim();
        self.rename_of(owner, id, Some(name.to_owned())).await
    }

    /// A stream of the endings of the user's own sessions. It counts as no use of the caller's.
    pub async fn account_events(self: &Arc<Self>, me: SignedIn) -> Result<EventStream, Error> {
        let user = me.session.user_id.clone();
        self.events_of(&Caller::User(Box::new(me)), Some(user), None).await
    }

    /// The name of the application that a session was opened for: as people know it, or its client id.
    pub fn application_name(&self, session: &Session) -> Option<String> {
        let known = self.application_of(session).map(|application| application.settings.name.clone());
        known.or_else(|| session.client_id.clone())
    }
}
