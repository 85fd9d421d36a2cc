//! Strict reads, which go together: nobody gets what was read before they asked.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::clock::Clock;
use crate::model::{Session, SessionId, SignedIn, Standing, UserId};
use crate::store::batching::{Gathering, Together, Waiting};
use crate::store::{self, Store};

/// Something that can be asked of the store for many at a time.
pub trait Question: Send + Sync + 'static {
    /// What is asked about.
    type Key: Clone + Eq + Hash + Send + Sync;
    /// What is answered about one; by default what is answered about one that the store knows nothing of.
    type Answer: Clone + Default + Send;
    /// The most that one statement asks about.
    const MOST_TOGETHER: usize;

    /// Asks the store.
    fn read(&self, keys: &[Self::Key]) -> impl Future<Output = store::Result<Vec<(Self::Key, Self::Answer)>>> + Send;
}

/// The session behind a token, with its user.
pub struct SessionOfToken(pub Arc<dyn Store>);

impl Question for SessionOfToken {
    type Key = SessionId;
    type Answer = Option<SignedIn>;
    const MOST_TOGETHER: usize = 250;

    async fn read(&self, ids: &[SessionId]) -> store::Result<Vec<(SessionId, Option<SignedIn>)>> {
        let found = self.0.sessions_of_tokens(ids).await?;
        Ok(found.into_iter().map(|signed_in| (signed_in.session.id, Some(signed_in))).collect())
    }
}

/// Where a session stands, for who has a copy of the rest of it.
pub struct StandingOfSession(pub Arc<dyn Store>);

impl Question for StandingOfSession {
    type Key = SessionId;
    type Answer = Option<Standing>;
    const MOST_TOGETHER: usize = 250;

    async fn read(&self, ids: &[SessionId]) -> store::Result<Vec<(SessionId, Option<Standing>)>> {
        let found = self.0.standings(ids).await?;
        Ok(found.into_iter().map(|standing| (standing.id, Some(standing))).collect())
    }
}

/// A user's active sessions, newest first.
pub struct SessionsOfUser {
    /// Where they are.
    pub store: Arc<dyn Store>,
    /// What time it is when they are read.
    pub clock: Arc<dyn Clock>,
}

impl Question for SessionsOfUser {
    type Key = UserId;
    type Answer = Vec<Session>;
    // Few, because one user may have a thousand.
    const MOST_TOGETHER: usize = 32;

    async fn read(&self, users: &[UserId]) -> store::Result<Vec<(UserId, Vec<Session>)>> {
        let mut lists: HashMap<UserId, Vec<Session>> = HashMap::with_capacity(users.len());
        for session in self.store.active_sessions_of_users(users, self.clock.now()).await? {
            lists.entry(session.user_id.clone()).or_default().push(session);
        }
        for sessions in lists.values_mut() {
            sessions.sort_unstable_by_key(|session| Reverse((session.created_at, session.id)));
        }
        Ok(lists.into_iter().collect())
    }
}

/// Asks for all who want to know.
pub type Reader<Q> = Gathering<Asking<Q>>;

/// A question, asked once for all who ask it together.
pub struct Asking<Q>(pub Q);

impl<Q: Question> Together for Asking<Q> {
    type Request = Q::Key;
    type Answer = Q::Answer;
    const MOST_TOGETHER: usize = Q::MOST_TOGETHER;
    const MOST_AT_ONCE: usize = 3;
    const MOST_WITH_STUCK: usize = 8;
    const WORTH_ANOTHER: usize = 48;

    async fn carry_out(self: &Arc<Self>, asked: Vec<Waiting<Self>>) -> Vec<Waiting<Self>> {
        let mut askers: HashMap<Q::Key, Vec<Waiting<Self>>> = HashMap::with_capacity(asked.len());
        for asker in asked {
            askers.entry(asker.request.clone()).or_default().push(asker);
        }
        let keys: Vec<Q::Key> = askers.keys().cloned().collect();
        let rest = match self.0.read(&keys).await {
            Ok(found) => {
                for (key, answer) in found {
                    tell(askers.remove(&key).unwrap_or_default(), Ok(answer));
                }
                Ok(Q::Answer::default())
            }
            Err(error) => Err(error),
        };
        tell(askers.into_values().flatten().collect(), rest);
        Vec::new()
    }
}

fn tell<Q: Question>(mut askers: Vec<Waiting<Asking<Q>>>, answer: store::Result<Q::Answer>) {
    // Usually there is but one, and nothing is copied.
    let last = askers.pop();
    for asker in askers {
        asker.tell(answer.clone());
    }
    if let Some(asker) = last {
        asker.tell(answer);
    }
}
