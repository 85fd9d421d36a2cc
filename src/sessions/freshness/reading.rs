//! Strict reads. Those that are asked for while a statement is under way wait for it and go out together in the next one:
//! nobody waits when nothing runs, and nobody gets what was read before they asked.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::sessions::{Session, SessionId, SignedIn};
use crate::store::{self, Store};
use crate::users::UserId;

/// As many statements run at once: one is on the way while the other's answer is taken apart.
const MOST_STATEMENTS: usize = 2;
/// How many wait before a second statement is worth it: half as many statements for as many answers is less work for all.
const WORTH_ANOTHER: usize = 16;

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

type Asker<Q> = oneshot::Sender<store::Result<<Q as Question>::Answer>>;

/// Asks for all who want to know.
pub struct Reader<Q: Question> {
    question: Q,
    queue: Mutex<Queue<Q>>,
}

struct Queue<Q: Question> {
    waiting: Vec<(Q::Key, Asker<Q>)>,
    statements: usize,
}

impl<Q: Question> Reader<Q> {
    pub fn new(question: Q) -> Arc<Self> {
        Arc::new(Self { question, queue: Mutex::new(Queue { waiting: Vec::new(), statements: 0 }) })
    }

    /// The answer as it stands after this was called.
    pub async fn ask(self: &Arc<Self>, key: Q::Key) -> store::Result<Q::Answer> {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut queue = self.lock();
            queue.waiting.push((key, sender));
            let worth_it = queue.statements == 0 || queue.waiting.len() >= WORTH_ANOTHER;
            let start = worth_it && queue.statements < MOST_STATEMENTS;
            queue.statements += usize::from(start);
            start
        };
        if start {
            // On its own, because whoever asked first may be gone before the others have their answers.
            tokio::spawn(Arc::clone(self).read());
        }
        receiver.await.unwrap_or_else(|_| Err(store::Error::unavailable("the read was given up")))
    }

    async fn read(self: Arc<Self>) {
        let _under_way = UnderWay(Arc::clone(&self));
        loop {
            let asked = {
                let mut queue = self.lock();
                let together = queue.waiting.len().min(Q::MOST_TOGETHER);
                let rest = queue.waiting.split_off(together);
                mem::replace(&mut queue.waiting, rest)
            };
            if asked.is_empty() {
                return;
            }
            let mut askers: HashMap<Q::Key, Vec<Asker<Q>>> = HashMap::with_capacity(asked.len());
            for (key, asker) in asked {
                askers.entry(key).or_default().push(asker);
            }
            let keys: Vec<Q::Key> = askers.keys().cloned().collect();
            let rest = match self.question.read(&keys).await {
                Ok(found) => {
                    for (key, answer) in found {
                        tell(askers.remove(&key).unwrap_or_default(), Ok(answer));
                    }
                    Ok(Q::Answer::default())
                }
                Err(error) => Err(error),
            };
            tell(askers.into_values().flatten().collect(), rest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<Q>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers all who asked; who is gone by now does not matter.
fn tell<T: Clone>(mut askers: Vec<oneshot::Sender<T>>, answer: T) {
    // Usually there is but one, and nothing is copied.
    let last = askers.pop();
    for asker in askers {
        drop(asker.send(answer.clone()));
    }
    drop(last.map(|asker| asker.send(answer)));
}

/// Counts a statement as done, even should it panic; and lets nobody wait who came between the last look and now.
struct UnderWay<Q: Question>(Arc<Reader<Q>>);

impl<Q: Question> Drop for UnderWay<Q> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.statements -= 1;
        if !queue.waiting.is_empty() && queue.statements == 0 {
            queue.statements += 1;
            drop(queue);
            tokio::spawn(Arc::clone(&self.0).read());
        }
    }
}
