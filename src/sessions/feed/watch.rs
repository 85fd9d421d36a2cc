//! Watches of one session.

use std::sync::Arc;

use super::endings::Termination;
use super::lifeline::Lifeline;
use super::stream_limits::StreamPlace;
use super::subscriptions::Subject;
use crate::model::{Caller, Owner, Scope, Session, SessionId};
use crate::sessions::error::{Error, Refusal};
use crate::sessions::facade::Sessions;
use crate::tokens::TokenError;

/// An item of a watch.
#[derive(Debug, Clone)]
pub enum Watched {
    /// The session at the start.
    Session(Box<Session>),
    /// The termination, which is the last item.
    Ended(Termination),
}

/// A watch of one session.
pub struct Watch {
    next: Next,
    watched: Lifeline,
    /// The lifeline of the caller's credential; `None` when it never ends.
    caller: Option<Lifeline>,
    _place: StreamPlace,
}

enum Next {
    First(Watched),
    SessionStatus,
    Nothing,
}

impl Sessions {
    /// Starts a watch of a session: a user's own, or anybody's for a caller with `sessions:read`. It counts as no use.
    pub async fn watch(self: &Arc<Self>, caller: &Caller, id: SessionId) -> Result<Watch, Error> {
        let owner = self.reach_session(caller, Scope::READ, id).await?;
        let own = caller.session().filter(|session| session.id == id);
        let place = self.feed.places.place(caller)?;
        // The subscription starts before the read, so nothing in between is missed.
        let following = self.feed.registry.follow(Subject::Session(id));
        let by_token = own.map(|own| self.feed.registry.follow_by_token(id, own.least_counter));
        let caller_line = match by_token {
            Some(by_token) => Some(Lifeline::of_token(self, by_token)),
            None => self.lifeline_of(caller).await?,
        };
        let session = if own.is_some() || owner == Owner::Anyone {
            // The read is batched, because all watchers come back at once after a restart.
            let mut session = self.session_loader.submit(id).await?.ok_or(Error::SessionNotFound)?.session;
            self.activity.overlay(&mut session);
            session
        } else {
            self.session(caller, id).await?
        };
        if own.is_some_and(|own| own.least_counter < session.least_counter) {
            return Err(Refusal::Token(TokenError::Superseded).into());
        }
        let watched = Lifeline::of_session(self, following, &session);
        let first = self.terminated(&session).map_or_else(|| Watched::Session(Box::new(session)), Watched::Ended);
        Ok(Watch { next: Next::First(first), watched, caller: caller_line, _place: place })
    }
}

impl Watch {
    /// The next item; `None` after the last, or when the caller's credential has ended.
    pub async fn next(&mut self) -> Option<Watched> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::First(first) => {
                if matches!(first, Watched::Session(_)) {
                    self.next = Next::SessionStatus;
                }
                Some(first)
            }
            Next::SessionStatus => tokio::select! {
                biased;
                over = self.watched.terminated() => over.map(Watched::Ended),
                () = terminated_of(&mut self.caller) => None,
            },
            Next::Nothing => None,
        }
    }
}

/// Returns when the caller's credential has ended.
pub(super) async fn terminated_of(caller: &mut Option<Lifeline>) {
    match caller {
        Some(lifeline) => drop(lifeline.terminated().await),
        None => std::future::pending().await,
    }
}
