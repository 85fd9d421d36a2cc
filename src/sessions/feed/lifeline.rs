//! The lifeline of one session or service key: its subscription and its clock.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::endings::Termination;
use super::subscriptions::{Subject, Subscription};
use crate::model::{Caller, Opener, Session, State};
use crate::sessions::authenticate::Issue;
use crate::sessions::error::{Error, Refusal};
use crate::sessions::facade::Sessions;
use crate::sessions::freshness::Freshness;

/// The pause before a store that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep between two looks at the clock, because the clock may be set.
const MAX_SLEEP: Duration = Duration::from_hours(1);

/// Waits until a credential has ended or expired: a session or service key, and with a session of the console the session that
/// it came from, which it does not outlive.
pub struct Lifeline {
    own: Follower,
    parent: Option<Follower>,
}

/// Waits until one session or service key has ended or expired. The store is read only when a session seems to have
/// expired, because it may have been extended or used.
struct Follower {
    sessions: Arc<Sessions>,
    following: Subscription,
    /// The expiry, as far as it is known; `None`: never, or another lifeline sees to it.
    due_at: Option<DateTime<Utc>>,
}

enum Look {
    Termination(Termination),
    Until(Option<DateTime<Utc>>),
}

impl Lifeline {
    fn new(sessions: &Arc<Sessions>, following: Subscription, due_at: Option<DateTime<Utc>>) -> Self {
        Self { own: Follower { sessions: Arc::clone(sessions), following, due_at }, parent: None }
    }

    /// The lifeline of a session that was read after its subscription started.
    pub fn of_session(sessions: &Arc<Sessions>, following: Subscription, session: &Session) -> Self {
        Self::new(sessions, following, Some(sessions.due_at(session)))
    }

    /// The lifeline of the token by which a user watches their own session. The session's own lifeline sees to its end.
    pub fn of_token(sessions: &Arc<Sessions>, following: Subscription) -> Self {
        Self::new(sessions, following, None)
    }

    /// Whether a termination is known.
    pub fn is_terminated(&self) -> bool {
        [Some(&self.own), self.parent.as_ref()].into_iter().flatten().any(|line| line.following.is_terminated())
    }

    /// Returns at the termination; `None`: the token that the lifeline goes by was superseded. Safe to cancel and call again.
    pub async fn terminated(&mut self) -> Option<Termination> {
        let Self { own, parent } = self;
        match parent {
            None => own.terminated().await,
            Some(parent) => tokio::select! {
                over = own.terminated() => over,
                over = parent.terminated() => over,
            },
        }
    }
}

impl Follower {
    async fn terminated(&mut self) -> Option<Termination> {
        loop {
            let left = self.due_at.map(|due_at| (due_at - self.sessions.now()).to_std().unwrap_or_default());
            let sleep = tokio::time::sleep(left.unwrap_or(MAX_SLEEP).min(MAX_SLEEP));
            tokio::select! {
                over = self.following.terminated() => return over,
                () = sleep => {}
            }
            let Some(due_at) = self.due_at.filter(|due_at| *due_at <= self.sessions.now()) else { continue };
            match self.look(due_at).await {
                Ok(Look::Termination(over)) => return Some(over),
                Ok(Look::Until(due_at)) => self.due_at = due_at,
                Err(error) => {
                    tracing::debug!(%error, "cannot read whether the session has ended");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn look(&self, due_at: DateTime<Utc>) -> Result<Look, Error> {
        let expired = Termination { reason: State::Expired.as_str(), at: due_at };
        match self.following.subject() {
            // A service key's expiry never moves.
            Subject::Key(_) | Subject::BootstrapKey => Ok(Look::Termination(expired)),
            Subject::Session(id) => {
                // Only sessions past their retention are deleted.
                let Some(signed_in) = self.sessions.session_loader.submit(id).await? else {
                    return Ok(Look::Termination(expired));
                };
                let session = signed_in.session;
                Ok(match self.sessions.terminated(&session) {
                    Some(over) => Look::Termination(over),
                    None => Look::Until(Some(self.sessions.due_at(&session))),
                })
            }
        }
    }
}

impl Sessions {
    /// The lifeline of the caller's credential; `None` when it never ends. Refuses a caller whose credential has ended since it
    /// was authenticated.
    pub(super) async fn lifeline_of(self: &Arc<Self>, caller: &Caller) -> Result<Option<Lifeline>, Error> {
        match caller {
            Caller::User(signed_in) => {
                let (id, issue) = (signed_in.session.id, Issue::present(&signed_in.session));
                let following = self.feed.registry.follow_by_token(id, signed_in.session.least_counter);
                let signed_in = self.active_session(id, issue, Freshness::Fresh, self.now()).await?;
                let parent = self.follower_of_parent(&signed_in.session).await?;
                Ok(Some(Lifeline { parent, ..Lifeline::of_session(self, following, &signed_in.session) }))
            }
            Caller::Service(service) => {
                let Some(id) = service.key_id() else { return self.lifeline_of_bootstrap_key() };
                let following = self.feed.registry.follow(Subject::Key(id));
                let key = self.service_key(id, Freshness::Fresh).await?.filter(|key| key.is_active(self.now()));
                let due_at = key.ok_or(Refusal::ServiceKey)?.expires_at;
                Ok(Some(Lifeline::new(self, following, due_at)))
            }
        }
    }

    /// The follower of the session that a session of the console came from; `None` for any other session.
    async fn follower_of_parent(self: &Arc<Self>, session: &Session) -> Result<Option<Follower>, Error> {
        let Some(Opener::Session(parent)) = session.opened_by.filter(|_| session.is_of_console()) else {
            return Ok(None);
        };
        // The read comes after the subscription, so that nothing in between is missed.
        let following = self.feed.registry.follow(Subject::Session(parent));
        let parent = self.parent_of_console(session).await?.ok_or(Refusal::UnknownSession)?;
        Ok(Some(Follower { sessions: Arc::clone(self), following, due_at: Some(self.due_at(&parent)) }))
    }

    fn lifeline_of_bootstrap_key(self: &Arc<Self>) -> Result<Option<Lifeline>, Error> {
        let Some(key) = self.parts.bootstrap_key.as_ref().filter(|key| key.until.is_some()) else { return Ok(None) };
        if !key.is_active(self.now()) {
            return Err(Refusal::ServiceKey.into());
        }
        let following = self.feed.registry.follow(Subject::BootstrapKey);
        Ok(Some(Lifeline::new(self, following, key.until)))
    }

    /// The termination of a session; `None` while it is active.
    pub(crate) fn terminated(&self, session: &Session) -> Option<Termination> {
        let seen_at = self.activity.seen(session.id).map(|touch| touch.seen_at);
        match session.state_as_seen(seen_at, self.now()) {
            State::Active => None,
            State::Ended => session.ended.map(Termination::from),
            State::Expired => Some(Termination { reason: State::Expired.as_str(), at: session.expires_at }),
            State::IdleExpired => Some(Termination { reason: State::IdleExpired.as_str(), at: self.due_at(session) }),
        }
    }

    /// The expiry of a session that is not used or extended again.
    fn due_at(&self, session: &Session) -> DateTime<Utc> {
        session.due_at(self.activity.seen(session.id).map(|touch| touch.seen_at))
    }
}
