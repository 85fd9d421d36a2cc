//! Listing everybody's kept sessions by a page number, for administration dialects: those that nobody ended, expired
//! ones included until they are cleaned up.

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;

use super::{Caller, Condition, EndReason, Error, Owner, Scope, Session, SessionId, Sessions};
use crate::store::Ending;
use crate::users::UserId;

/// The furthest that a list can be asked for from: what is skipped is read too.
pub const FURTHEST_OFFSET: u32 = 1_000_000;

/// The scopes that give a dialect's callers rights over everybody's sessions. Each right has alternatives, of which one
/// suffices with all its scopes; an error names the first scope of the first.
#[derive(Debug)]
pub struct Rights {
    /// To see sessions.
    pub read: &'static [&'static [&'static str]],
    /// To end sessions.
    pub end: &'static [&'static [&'static str]],
}

impl Rights {
    /// Whether a scope is part of a right.
    pub(super) fn name(&self, scope: &str) -> bool {
        [self.read, self.end].into_iter().flatten().any(|alternative| alternative.contains(&scope))
    }

    fn require_read(&self, caller: &Caller) -> Result<(), Error> {
        require(self.read, caller)
    }

    fn require_end(&self, caller: &Caller) -> Result<(), Error> {
        require(self.end, caller)
    }
}

fn require(right: &[&[&'static str]], caller: &Caller) -> Result<(), Error> {
    let granted = right.iter().any(|alternative| alternative.iter().all(|scope| caller.scope().contains(scope)));
    let needed = right.first().and_then(|alternative| alternative.first()).copied().unwrap_or(Scope::ADMIN);
    if granted { Ok(()) } else { Err(Error::Forbidden { needed }) }
}

/// What a list is sorted by; the id decides between equals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListingOrder {
    /// The id, which is nearly the order of opening.
    #[default]
    Id,
    /// The user's id.
    UserId,
    /// When it was opened.
    CreatedAt,
    /// When it was last used: read from no index, so only short lists come back in time.
    LastSeenAt,
    /// When it ends by itself.
    ExpiresAt,
}

/// One page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// Which sessions are in it.
    pub condition: &'a Condition,
    /// What it is sorted by.
    pub order: ListingOrder,
    /// Whether the latest come first.
    pub descending: bool,
    /// How many to skip.
    pub offset: u32,
    /// How many to answer.
    pub limit: u32,
    /// How far to count them all; `None`: not at all.
    pub count_to: Option<u32>,
}

/// The lists that are known to have as many as are counted, or more, and since when. Counting so far costs more than the
/// page, and such a list does not become short in a moment.
#[derive(Debug)]
pub struct LongLists(Cache<Condition, DateTime<Utc>>);

/// How long a list is taken to be still as long.
const STAYS_LONG: TimeDelta = TimeDelta::seconds(5);
/// How many lists are remembered.
const MOST_REMEMBERED: usize = 100;

impl LongLists {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST_REMEMBERED))
    }

    fn has(&self, condition: &Condition, now: DateTime<Utc>) -> bool {
        self.0.get(condition).is_some_and(|since| (since..since + STAYS_LONG).contains(&now))
    }
}

/// One page of a list and how many are in all of it, counted as far as policy says.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The sessions on the page.
    pub sessions: Vec<Session>,
    /// How many the list has; at the limit: or more.
    pub total: u32,
}

impl Sessions {
    /// One page of everybody's kept sessions that meet the condition. `limit` and `offset` beyond policy are cut to it.
    pub async fn list(
        &self,
        (caller, rights): (&Caller, &Rights),
        condition: Condition,
        (order, descending): (ListingOrder, bool),
        offset: u32,
        limit: u32,
    ) -> Result<Listed, Error> {
        rights.require_read(caller)?;
        let condition = Condition::All(vec![Condition::NotEnded, condition]);
        let (most, now) = (self.policy().search_total_limit, self.now());
        let listing = Listing {
            condition: &condition,
            order,
            descending,
            offset: offset.min(FURTHEST_OFFSET),
            limit: limit.min(self.policy().search_page_limit),
            count_to: (!self.long_lists.has(&condition, now)).then_some(most),
        };
        let (mut sessions, counted) = self.store().list_sessions(listing).await?;
        if counted.is_some_and(|counted| counted >= most) {
            self.long_lists.0.insert(condition, now);
        }
        let total = counted.unwrap_or(most);
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        Ok(Listed { sessions, total })
    }

    /// One of everybody's kept sessions.
    pub async fn listed_session(
        &self,
        caller: &Caller,
        rights: &Rights,
        id: Option<SessionId>,
    ) -> Result<Session, Error> {
        rights.require_read(caller)?;
        let found = self.store().session(id.ok_or(Error::SessionNotFound)?, Owner::Anyone).await?;
        let mut session = found.filter(|session| session.ended.is_none()).ok_or(Error::SessionNotFound)?;
        self.activity.overlay(&mut session);
        Ok(session)
    }

    /// Ends one of everybody's kept sessions, expired or not.
    pub async fn end_listed_session(
        &self,
        caller: &Caller,
        rights: &Rights,
        id: Option<SessionId>,
    ) -> Result<(), Error> {
        rights.require_end(caller)?;
        let (id, reason) = (id.ok_or(Error::SessionNotFound)?, EndReason::RevokedByAdmin);
        match self.store().end_session(id, Owner::Anyone, reason, self.now()).await? {
            Some(Ending::Ended(session)) => {
                self.ended(&session.user_id, &[id], reason);
                Ok(())
            }
            Some(Ending::AlreadyEnded(session)) => {
                self.changed(&session.user_id);
                Err(Error::SessionNotFound)
            }
            None => Err(Error::SessionNotFound),
        }
    }

    /// Ends a user's active sessions; it is an error when there are none.
    pub async fn end_listed_sessions_of(
        &self,
        caller: &Caller,
        rights: &Rights,
        user: Option<&UserId>,
    ) -> Result<(), Error> {
        rights.require_end(caller)?;
        let user = user.ok_or(Error::UserNotFound)?;
        let ended = self.end_all(user, None, EndReason::RevokedByAdmin).await?;
        if ended == 0 { Err(Error::SessionNotFound) } else { Ok(()) }
    }
}
