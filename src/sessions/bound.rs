//! Keys that are bound to an application: they see and end its sessions only. An operation that does not ask for the
//! application of a caller refuses such a key.

use super::error::Error;
use super::facade::Sessions;
use super::query::UserSessions;
use crate::model::{Actor, Caller, EndReason, Ended, Filter, Opener, Owner, Session, SessionId, State, UserId};
use crate::store::MAX_LISTED;

impl Sessions {
    /// The owner whose sessions a caller reaches, as [`Caller::reach`] answers, for one session. A key that is bound to the
    /// session's application reaches it too: a session's application never changes, so the answer stays true.
    pub(super) async fn reach_session<'a>(
        &self,
        caller: &'a Caller,
        right: &'static str,
        id: SessionId,
    ) -> Result<Owner<'a>, Error> {
        let Some(application) = caller.application() else { return caller.reach(right) };
        caller.require_of_bound(right)?;
        let found = self.store().session(id, Owner::Anyone).await?;
        let reached = found.is_some_and(|session| is_of(&session, application));
        reached.then_some(Owner::Anyone).ok_or(Error::SessionNotFound)
    }

    /// A user's active sessions of one application, newest first, the newest [`MAX_LISTED`] if there are more.
    pub(super) async fn active_sessions_within(&self, user: &UserId, application: &str) -> Result<UserSessions, Error> {
        let filter = active_within(user, application);
        let mut sessions = self.store().search_sessions(self.newest(&filter, MAX_LISTED)).await?;
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        let listed = sessions.len();
        let total = if is_full(listed) {
            self.store().count_sessions(self.newest(&filter, u32::MAX)).await? as usize
        } else {
            listed
        };
        Ok(UserSessions { sessions, total })
    }

    /// Ends a user's active sessions of one application, and answers how many.
    /// The endings are in the audit trail if they are an actor's.
    pub(super) async fn end_all_within(
        &self,
        user: &UserId,
        application: &str,
        reason: EndReason,
        by: Opener,
        actor: Option<&Actor>,
    ) -> Result<usize, Error> {
        let (filter, mut count) = (active_within(user, application), 0);
        loop {
            let page = self.store().search_sessions(self.newest(&filter, MAX_LISTED)).await?;
            let ids: Vec<SessionId> = page.iter().map(|session| session.id).collect();
            if !ids.is_empty() {
                // Each page is a transaction, and has an entry with its own number of sessions.
                let at = self.now();
                let entry = |actor| self.entry_of_endings(actor, Ended { at, reason }, user, Some(application));
                let entry = actor.map(entry).transpose()?.flatten();
                let (store, owner) = (self.store(), Owner::User(user));
                let ended = store.end_named_sessions(&ids, owner, reason, at, entry.as_ref()).await?;
                let ended: Vec<SessionId> = ended.into_iter().map(|(id, _)| id).collect();
                count += ended.len();
                self.ended(user, &ended, reason, by);
            }
            if !is_full(ids.len()) {
                return Ok(count);
            }
        }
    }

    /// The ids among `ids` that are of sessions of the application.
    pub(super) async fn named_within(&self, ids: &[SessionId], application: &str) -> Result<Vec<SessionId>, Error> {
        let found = self.store().sessions_of_tokens(ids).await?;
        let of_application = found.into_iter().filter(|found| is_of(&found.session, application));
        Ok(of_application.map(|found| found.session.id).collect())
    }
}

fn active_within(user: &UserId, application: &str) -> Filter {
    Filter {
        user_id: Some(user.clone()),
        client_id: Some(application.to_owned()),
        state: Some(State::Active),
        ..Filter::default()
    }
}

/// Whether another page may follow one of this many sessions.
fn is_full(listed: usize) -> bool {
    u32::try_from(listed).is_ok_and(|listed| listed >= MAX_LISTED)
}

/// Whether a session was opened for the application.
pub(super) fn is_of(session: &Session, application: &str) -> bool {
    session.client_id.as_deref() == Some(application)
}
