//! Writes of many requests in one statement and one commit.
//!
//! Such a statement waits for nobody's row. It passes over one that somebody else has locked, and whatever is not plain:
//! then that request goes alone, by the statement that waits its turn and tells why not. So nobody is held up by a lock but
//! who wants that very row, and nothing can wait in a circle. (One thing is waited for: that somebody else, who is about to
//! insert the same new user, has done so. If that takes too long, all go alone.)

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use super::attempts::Connections;
use super::failure::was_taken_back;
use crate::store::batching::{Gathering, Together, Waiting};
use crate::store::contract::Result;

/// What was done, each by its subject. What is done and cannot be read is not done again.
pub(super) type Done<W> = Vec<(<W as Write>::Subject, Result<<W as Write>::Answer>)>;

/// A kind of write.
pub(super) trait Write: Send + Sync + 'static {
    /// What is asked for.
    type Request: Send + Sync + 'static;
    /// What is told of it.
    type Answer: Send + 'static;
    /// What is written to: one statement does no more than one thing to it, and who wants another waits for the next.
    type Subject: Eq + Hash + Send + Sync;

    fn subject(request: &Self::Request) -> Self::Subject;

    /// What can be done of these at once, all together.
    fn together(database: &Connections, requests: &[&Self::Request])
    -> impl Future<Output = Result<Done<Self>>> + Send;

    /// One of them, whatever it takes.
    fn alone(database: &Connections, request: &Self::Request) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// Where requests for a kind of write gather.
pub(super) type Gathered<W> = Arc<Gathering<Batched<W>>>;

/// Where they will.
pub(super) fn gathered<W: Write>(database: &Arc<Connections>) -> Gathered<W> {
    Gathering::new(Batched { database: Arc::clone(database), kind: PhantomData })
}

/// A kind of write, and where to.
pub(super) struct Batched<W> {
    database: Arc<Connections>,
    kind: PhantomData<W>,
}

impl<W: Write> Together for Batched<W> {
    type Request = W::Request;
    type Answer = W::Answer;
    const MOST_TOGETHER: usize = 100;
    // Each waits for the disk in the end; meanwhile the others work.
    const MOST_AT_ONCE: usize = 3;
    const MOST_WITH_STUCK: usize = 12;
    const WORTH_ANOTHER: usize = 16;

    async fn carry_out(self: &Arc<Self>, requests: Vec<Waiting<Self>>) -> Vec<Waiting<Self>> {
        let mut put_off = Vec::new();
        let mut firsts = HashMap::with_capacity(requests.len());
        for waiting in requests {
            match firsts.entry(W::subject(&waiting.request)) {
                Entry::Vacant(place) => drop(place.insert(waiting)),
                Entry::Occupied(_) => put_off.push(waiting),
            }
        }
        let asked: Vec<_> = firsts.values().map(|waiting| &waiting.request).collect();
        match W::together(&self.database, &asked).await {
            Ok(done) => {
                for (subject, answer) in done {
                    if let Some(waiting) = firsts.remove(&subject) {
                        waiting.tell(answer);
                    }
                }
            }
            // For the sake of one of them; the others shall not suffer for it.
            Err(error) if firsts.len() > 1 && was_taken_back(&error) => {}
            Err(error) => {
                for (_, waiting) in firsts.drain() {
                    waiting.tell(Err(error.clone()));
                }
            }
        }
        for passed_over in firsts.into_values() {
            // Without holding up the next ones.
            tokio::spawn(Arc::clone(self).carry_out_alone(passed_over));
        }
        put_off
    }
}

impl<W: Write> Batched<W> {
    async fn carry_out_alone(self: Arc<Self>, waiting: Waiting<Self>) {
        if !waiting.is_given_up() {
            let answer = W::alone(&self.database, &waiting.request).await;
            waiting.tell(answer);
        }
    }
}

/// Opens plain sessions, by one statement.
pub(super) struct Openings;

/// Refreshes sessions.
pub(super) struct Refreshes;

/// Moves the ends of sessions.
pub(super) struct Extensions;

/// Ends sessions by their ids.
pub(super) struct Endings;
