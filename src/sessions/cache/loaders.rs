//! Loaders: batched reads, in which no caller gets an answer that was read before it asked.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::clock::Clock;
use crate::model::{Session, SessionId, SessionStatus, SignedIn, UserId};
use crate::store::batching::{BatchJob, Batcher, Pending};
use crate::store::{self, Store};

/// A read of the store for many keys at a time.
pub trait Load: Send + Sync + 'static {
    /// The key of one read.
    type Key: Clone + Eq + Hash + Send + Sync;
    /// The answer for one key; its default is the answer for a key that the store does not know.
    type Answer: Clone + Default + Send;
    /// The most keys of one statement.
    const MAX_BATCH: usize;

    /// Reads the store.
    fn read(&self, keys: &[Self::Key]) -> impl Future<Output = store::Result<Vec<(Self::Key, Self::Answer)>>> + Send;
}

/// The session behind a token, with its user.
pub struct SessionOfToken(pub Arc<dyn Store>);

impl Load for SessionOfToken {
    type Key = SessionId;
    type Answer = Option<SignedIn>;
    const MAX_BATCH: usize = 250;

    async fn read(&self, ids: &[SessionId]) -> store::Result<Vec<(SessionId, Option<SignedIn>)>> {
        let found = self.0.sessions_of_tokens(ids).await?;
        Ok(found.into_iter().map(|signed_in| (signed_in.session.id, Some(signed_in))).collect())
    }
}

/// The status of a session, for callers with a cache entry of the rest.
pub struct StatusOfSession(pub Arc<dyn Store>);

impl Load for StatusOfSession {
    type Key = SessionId;
    type Answer = Option<SessionStatus>;
    const MAX_BATCH: usize = 250;

    async fn read(&self, ids: &[SessionId]) -> store::Result<Vec<(SessionId, Option<SessionStatus>)>> {
        let found = self.0.session_statuses(ids).await?;
        Ok(found.into_iter().map(|standing| (standing.id, Some(standing))).collect())
    }
}

/// A user's active sessions, newest first.
pub struct SessionsOfUser {
    /// The store of the sessions.
    pub store: Arc<dyn Store>,
    /// The clock, for the instant at which sessions are active.
    pub clock: Arc<dyn Clock>,
}

impl Load for SessionsOfUser {
    type Key = UserId;
    type Answer = Vec<Session>;
    // A small batch, because one user may have a thousand sessions.
    const MAX_BATCH: usize = 32;

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

/// A batcher for reads.
pub type Loader<Q> = Batcher<LoadJob<Q>>;

/// A read as a batch job: keys that several callers ask for are read once.
pub struct LoadJob<Q>(pub Q);

impl<Q: Load> BatchJob for LoadJob<Q> {
    type Request = Q::Key;
    type Answer = Q::Answer;
    const MAX_BATCH: usize = Q::MAX_BATCH;
    const MAX_IN_FLIGHT: usize = 3;
    const MAX_IN_FLIGHT_WHEN_STALLED: usize = 8;
    const EXTRA_BATCH_AT: usize = 48;

    async fn run(self: &Arc<Self>, asked: Vec<Pending<Self>>) -> Vec<Pending<Self>> {
        let mut waiting: HashMap<Q::Key, Vec<Pending<Self>>> = HashMap::with_capacity(asked.len());
        for pending in asked {
            waiting.entry(pending.request.clone()).or_default().push(pending);
        }
        let keys: Vec<Q::Key> = waiting.keys().cloned().collect();
        let rest = match self.0.read(&keys).await {
            Ok(found) => {
                for (key, answer) in found {
                    reply(waiting.remove(&key).unwrap_or_default(), Ok(answer));
                }
                Ok(Q::Answer::default())
            }
            Err(error) => Err(error),
        };
        reply(waiting.into_values().flatten().collect(), rest);
        Vec::new()
    }
}

fn reply<Q: Load>(mut waiting: Vec<Pending<LoadJob<Q>>>, answer: store::Result<Q::Answer>) {
    // The last caller, usually the only one, gets the answer without a clone.
    let last = waiting.pop();
    for pending in waiting {
        pending.reply(answer.clone());
    }
    if let Some(pending) = last {
        pending.reply(answer);
    }
}
