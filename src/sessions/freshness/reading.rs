//! Strict reads. Those that are asked for while a statement is under way wait for it and go out together in the next one:
//! nobody waits when nothing runs, and nobody gets what was read before they asked.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::sessions::{SessionId, SignedIn};
use crate::store::{self, Store};

/// As many statements run at once: one is on the way while the other's answer is taken apart.
const MOST_STATEMENTS: usize = 2;
/// The most sessions in one statement.
const MOST_TOGETHER: usize = 250;

type Answer = store::Result<Option<SignedIn>>;

/// Reads sessions for all who ask.
pub struct Reader {
    store: Arc<dyn Store>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(SessionId, oneshot::Sender<Answer>)>,
    statements: usize,
}

impl Reader {
    pub fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, queue: Mutex::default() })
    }

    /// The session with its user, as it stands after this was called. `None` when there is none.
    pub async fn session(self: &Arc<Self>, id: SessionId) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut queue = self.lock();
            queue.waiting.push((id, sender));
            let start = queue.statements < MOST_STATEMENTS;
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
                let together = queue.waiting.len().min(MOST_TOGETHER);
                let rest = queue.waiting.split_off(together);
                mem::replace(&mut queue.waiting, rest)
            };
            if asked.is_empty() {
                return;
            }
            let mut askers: HashMap<SessionId, Vec<oneshot::Sender<Answer>>> = HashMap::with_capacity(asked.len());
            for (id, sender) in asked {
                askers.entry(id).or_default().push(sender);
            }
            let ids: Vec<SessionId> = askers.keys().copied().collect();
            match self.store.sessions_of_tokens(&ids).await {
                Ok(found) => {
                    for signed_in in found {
                        for sender in askers.remove(&signed_in.session.id).unwrap_or_default() {
                            drop(sender.send(Ok(Some(signed_in.clone()))));
                        }
                    }
                    askers.into_values().flatten().for_each(|sender| drop(sender.send(Ok(None))));
                }
                Err(error) => {
                    askers.into_values().flatten().for_each(|sender| drop(sender.send(Err(error.clone()))));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a statement as done, even should it panic; and lets nobody wait who came between the last look and now.
struct UnderWay(Arc<Reader>);

impl Drop for UnderWay {
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
