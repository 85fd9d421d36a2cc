//! Keys that are bound to an application: they see and end its sessions only. An operation that does not ask for the
//! application of a caller refuses such a key.

use super::error::Error;
use super::facade::Sessions;
use crate::model::{Caller, EndReason, Filter, Owner, Search, Session, SessionId, Sort, State, UserId};
use crate::store::MAX_LISTED;

impl Sessions {
    /// As [`Caller::reach`] for one session, also for a key that is bound to its application. A session's application never
    /// changes, so the answer stays true.
    pub(super) async fn reach_session<'a>(
        &self,
        caller: &'a Caller,
        right: &'static str,
        id: SessionId,
    ) -> Result<Owner<'a>, Error> {
        if caller.application().is_none() {
            return caller.reach(right);
        }
        let Some(application) = caller.require_of_bound(right)? else { return Err(Error::BoundKey) };
        let found = self.store().session(id, Owner::Anyone).await?;
        if found.is_some_and(|session| is_of(&session, application)) {
            Ok(Owner::Anyone)
        } else {
            Err(Error::SessionNotFound)
        }
    }

    /// A user's active sessions of one application, newest first, at most [`MAX_LISTED`], and the number of all.
    pub(super) async fn active_sessions_within(
        &self,
        user: &UserId,
        application: &str,
    ) -> Result<(Vec<Session>, usize), Error> {
        let filter = Filter {
            user_id: Some(user.clone()),
            client_id: Some(application.to_owned()),
            state: Some(State::Active),
            ..Filter::default()
        };
        let (owner, sort, now) = (Owner::User(user), Sort::default(), self.now());
        let search = Search { owner, filter: &filter, sort, after: None, limit: MAX_LISTED, now, may_lag: false };
        let mut sessions = self.store().search_sessions(search).await?;
        for session in &mut sessions {
            self.activity.overlay(session);
        }
        let total = if sessions.len() < MAX_LISTED as usize {
            sessions.len()
        } else {
            let count = Search { limit: u32::MAX - 1, ..search };
            self.store().count_sessions(count).await? as usize
        };
        Ok((sessions, total))
    }

    /// Ends a user's active sessions of one application, and answers how many.
    pub(super) async fn end_all_within(&self, user: &UserId, application: &str) -> Result<usize, Error> {
        let (reason, mut count) = (EndReason::RevokedByAdmin, 0);
        loop {
            let (sessions, _) = self.active_sessions_within(user, application).await?;
            let ids: Vec<SessionId> = sessions.iter().map(|session| session.id).collect();
            let ended = self.store().end_named_sessions(&ids, Owner::User(user), reason, self.now()).await?;
            let ended: Vec<SessionId> = ended.into_iter().map(|(id, _)| id).collect();
            if ended.is_empty() {
                return Ok(count);
            }
            count += ended.len();
            self.ended(user, &ended, reason);
        }
    }

    /// Of these sessions, those of the application.
    pub(super) async fn named_within(&self, ids: &[SessionId], application: &str) -> Result<Vec<SessionId>, Error> {
        let found = self.store().sessions_of_tokens(ids).await?;
        let of_application = found.into_iter().filter(|found| is_of(&found.session, application));
        Ok(of_application.map(|found| found.session.id).collect())
    }
}

/// Whether a session was opened for the application.
pub(super) fn is_of(session: &Session, application: &str) -> bool {
    session.client_id.as_deref() == Some(application)
}
