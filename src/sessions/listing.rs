//! Listing everybody's kept sessions by a page number, for administration dialects: those that nobody ended, expired
//! ones included until they are cleaned up.

use super::error::Error;
use super::facade::Sessions;
use crate::model::{Caller, Condition, EndReason, Listing, ListingOrder, Owner, Scope, Session, SessionId, UserId};
use crate::store::Ending;

/// The furthest that a list can be asked for from: what is skipped is read too.
pub const FURTHEST_OFFSET: u32 = 1_000_000;

const SESSION_READONLY: &str = "https://jans.io/oauth/jans-auth-server/session.readonly";
const READ_ALL: &str = "https://jans.io/oauth/config/read-all";
const SESSION_DELETE: &str = "https://jans.io/oauth/jans-auth-server/session.delete";
const DELETE_ALL: &str = "https://jans.io/oauth/config/delete-all";
const REVOKE_SESSION: &str = "revoke_session";

/// The names under which Janssen's administration knows the right to see sessions: each suffices.
const READING: [&str; 3] = [SESSION_READONLY, READ_ALL, Scope::ADMIN];
/// The names of the right to end them: each suffices, or the two of [`ENDING_TOGETHER`].
const ENDING: [&str; 2] = [DELETE_ALL, Scope::ADMIN];
const ENDING_TOGETHER: [&str; 2] = [SESSION_DELETE, REVOKE_SESSION];
/// Janssen's words that give rights here.
pub(super) const RIGHTS_OF_JANSSEN: [&str; 5] =
    [SESSION_READONLY, READ_ALL, SESSION_DELETE, DELETE_ALL, REVOKE_SESSION];

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
        caller: &Caller,
        condition: Condition,
        (order, descending): (ListingOrder, bool),
        offset: u32,
        limit: u32,
    ) -> Result<Listed, Error> {
        require_reading(caller)?;
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
            self.long_lists.insert(condition, now);
        }
        let total = counted.unwrap_or(most);
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        Ok(Listed { sessions, total })
    }

    /// One of everybody's kept sessions.
    pub async fn listed_session(&self, caller: &Caller, id: Option<SessionId>) -> Result<Session, Error> {
        require_reading(caller)?;
        let found = self.store().session(id.ok_or(Error::SessionNotFound)?, Owner::Anyone).await?;
        let mut session = found.filter(|session| session.ended.is_none()).ok_or(Error::SessionNotFound)?;
        self.activity.overlay(&mut session);
        Ok(session)
    }

    /// Ends one of everybody's kept sessions, expired or not.
    pub async fn end_listed_session(&self, caller: &Caller, id: Option<SessionId>) -> Result<(), Error> {
        require_ending(caller)?;
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
    pub async fn end_listed_sessions_of(&self, caller: &Caller, user: Option<&UserId>) -> Result<(), Error> {
        require_ending(caller)?;
        let user = user.ok_or(Error::UserNotFound)?;
        let ended = self.end_all(user, None, EndReason::RevokedByAdmin).await?;
        if ended == 0 { Err(Error::SessionNotFound) } else { Ok(()) }
    }
}

fn require_reading(caller: &Caller) -> Result<(), Error> {
    let granted = READING.iter().any(|name| caller.scope().contains(name));
    if granted { Ok(()) } else { Err(Error::Forbidden { needed: READING[0] }) }
}

fn require_ending(caller: &Caller) -> Result<(), Error> {
    let has = |name: &&str| caller.scope().contains(name);
    let granted = ENDING.iter().any(has) || ENDING_TOGETHER.iter().all(has);
    if granted { Ok(()) } else { Err(Error::Forbidden { needed: ENDING_TOGETHER[0] }) }
}
