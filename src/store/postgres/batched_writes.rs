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

use super::failure::was_taken_back;
use super::retry::Connections;
use crate::store::batching::{BatchJob, Batcher, Pending};
use crate::store::contract::Result;

/// What was done, each by its subject. What is done and cannot be read is not done again.
pub(super) type BatchResults<W> = Vec<(<W as BatchedWrite>::Subject, Result<<W as BatchedWrite>::Answer>)>;

/// A kind of write.
pub(super) trait BatchedWrite: Send + Sync + 'static {
    /// What is asked for.
    type Request: Send + Sync + 'static;
    /// What is told of it.
    type Answer: Send + 'static;
    /// What is written to: one statement does no more than one thing to it, and who wants another waits for the next.
    type Subject: Eq + Hash + Send + Sync;

    fn subject(request: &Self::Request) -> Self::Subject;

    /// What can be done of these at once, all together.
    fn run_batch(
        database: &Connections,
        requests: &[&Self::Request],
    ) -> impl Future<Output = Result<BatchResults<Self>>> + Send;

    /// One of them, whatever it takes.
    fn run_single(database: &Connections, request: &Self::Request)
    -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// Where requests for a kind of write gather.
pub(super) type WriteBatcher<W> = Arc<Batcher<WriteJob<W>>>;

/// Where they will.
pub(super) fn write_batcher<W: BatchedWrite>(database: &Arc<Connections>) -> WriteBatcher<W> {
    Batcher::new(WriteJob { database: Arc::clone(database), kind: PhantomData })
}

/// A kind of write, and where to.
pub(super) struct WriteJob<W> {
    database: Arc<Connections>,
    kind: PhantomData<W>,
}

impl<W: BatchedWrite> BatchJob for WriteJob<W> {
    type Request = W::Request;
    type Answer = W::Answer;
    const MAX_BATCH: usize = 100;
    // Each waits for the disk in the end; meanwhile the others work.
    const MAX_IN_FLIGHT: usize = 3;
    const MAX_IN_FLIGHT_WHEN_STALLED: usize = 12;
    const EXTRA_BATCH_AT: usize = 16;

    async fn run(self: &Arc<Self>, requests: Vec<Pending<Self>>) -> Vec<Pending<Self>> {
        let mut put_off = Vec::new();
        let mut firsts = HashMap::with_capacity(requests.len());
        for pending in requests {
            match firsts.entry(W::subject(&pending.request)) {
                Entry::Vacant(place) => drop(place.insert(pending)),
                Entry::Occupied(_) => put_off.push(pending),
            }
        }
        let asked: Vec<_> = firsts.values().map(|pending| &pending.request).collect();
        match W::run_batch(&self.database, &asked).await {
            Ok(done) => {
                for (subject, answer) in done {
                    if let Some(pending) = firsts.remove(&subject) {
                        pending.reply(answer);
                    }
                }
            }
            // For the sake of one of them; the others shall not suffer for it.
            Err(error) if firsts.len() > 1 && was_taken_back(&error) => {}
            Err(error) => {
                for (_, pending) in firsts.drain() {
                    pending.reply(Err(error.clone()));
                }
            }
        }
        for left_over in firsts.into_values() {
            // Without holding up the next ones.
            tokio::spawn(Arc::clone(self).run_alone(left_over));
        }
        put_off
    }
}

impl<W: BatchedWrite> WriteJob<W> {
    async fn run_alone(self: Arc<Self>, pending: Pending<Self>) {
        if !pending.is_given_up() {
            let answer = W::run_single(&self.database, &pending.request).await;
            pending.reply(answer);
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
