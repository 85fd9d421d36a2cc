//! Listing everybody's kept sessions by a page number, for administration dialects: those that nobody ended, expired
//! ones included until they are cleaned up.

use super::error::Error;
use super::facade::Sessions;
use super::rights::Rights;
use crate::model::{
    Actor, Caller, Condition, EndReason, Ended, Listing, ListingOrder, Owner, Session, SessionId, UserId,
};
use crate::store::EndOutcome;

/// One page of a list and how many are in all of it, counted as far as policy says.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The sessions on the page.
    pub sessions: Vec<Session>,
    /// Number of sessions in the list; at the limit: or more.
    pub total: u32,
}

impl Sessions {
    /// One page of everybody's kept sessions that meet the condition, empty past the end. A `limit` beyond policy is cut
    /// to it. Refused: [`Error::SearchTooBroad`] for a page that is too far down a long list, because skipped rows are
    /// read too.
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
            offset,
            limit: limit.min(self.policy().search_page_limit),
            count_to: (!self.totals_cache.has(&condition, now)).then_some(most),
        };
        let (mut sessions, counted) = self.store().list_sessions(listing).await?;
        if counted.is_some_and(|counted| counted >= most) {
            self.totals_cache.insert(condition, now);
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
    pub async fn end_listed_session(&self, actor: &Actor, rights: &Rights, id: Option<SessionId>) -> Result<(), Error> {
        rights.require_end(actor)?;
        let (id, reason) = (id.ok_or(Error::SessionNotFound)?, EndReason::RevokedByAdmin);
        self.require_recent_to_end(actor.session(), id)?;
        let ended = Ended { at: self.now(), reason };
        let entry = self.entry_of_ending(actor, ended, id)?;
        match self.store().end_session(id, Owner::Anyone, reason, ended.at, entry.as_ref()).await? {
            Some(EndOutcome::Ended(session)) => {
                self.ended(&session.user_id, &[id], reason, actor.credential());
                Ok(())
            }
            Some(EndOutcome::AlreadyEnded(session)) => {
                self.changed(&session.user_id);
                Err(Error::SessionNotFound)
            }
            None => Err(Error::SessionNotFound),
        }
    }

    /// Ends a user's active sessions; it is an error when there are none.
    pub async fn end_listed_sessions_of(
        &self,
        actor: &Actor,
        rights: &Rights,
        user: Option<&UserId>,
    ) -> Result<(), Error> {
        rights.require_end(actor)?;
        let user = user.ok_or(Error::UserNotFound)?;
        self.require_recent(actor.session())?;
        let ended = self.end_all_by_staff(actor, user).await?;
        if ended == 0 { Err(Error::SessionNotFound) } else { Ok(()) }
    }
}
