//! Writes of many requests in one statement and one commit.
//!
//! A batched statement does not wait for row locks (`SKIP LOCKED`): it leaves out locked rows and every case that is not
//! plain. Such a request then runs alone, by a statement that waits for the lock and finds the reason. So a lock holds up
//! only requests for that very row, and deadlocks are impossible. (One wait remains: for another transaction that inserts
//! the same new user. If that takes too long, all requests of the batch run alone.)

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use super::failure::was_taken_back;
use super::retry::Connections;
use crate::store::batching::{BatchJob, Batcher, Pending};
use crate::store::contract::Result;

/// The results of a batch, by subject. A write whose result cannot be read is not repeated.
pub(super) type BatchResults<W> = Vec<(<W as BatchedWrite>::Subject, Result<<W as BatchedWrite>::Answer>)>;

/// A kind of write.
pub(super) trait BatchedWrite: Send + Sync + 'static {
    /// The request of one caller.
    type Request: Send + Sync + 'static;
    /// The answer to one request.
    type Answer: Send + 'static;
    /// The row that is written: a batch has one request for each, and a second one waits for the next batch.
    type Subject: Eq + Hash + Send + Sync;

    fn subject(request: &Self::Request) -> Self::Subject;

    /// Runs the requests that one statement can serve.
    fn run_batch(
        database: &Connections,
        requests: &[&Self::Request],
    ) -> impl Future<Output = Result<BatchResults<Self>>> + Send;

    /// Runs one request, waiting for locks.
    fn run_single(database: &Connections, request: &Self::Request)
    -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// The batcher of one kind of write.
pub(super) type WriteBatcher<W> = Arc<Batcher<WriteJob<W>>>;

/// Creates the batcher for writes of kind `W`.
pub(super) fn write_batcher<W: BatchedWrite>(database: &Arc<Connections>) -> WriteBatcher<W> {
    Batcher::new(WriteJob { database: Arc::clone(database), kind: PhantomData })
}

/// A kind of write as a batch job.
pub(super) struct WriteJob<W> {
    database: Arc<Connections>,
    kind: PhantomData<W>,
}

impl<W: BatchedWrite> BatchJob for WriteJob<W> {
    type Request = W::Request;
    type Answer = W::Answer;
    const MAX_BATCH: usize = 100;
    // While one batch waits for the disk, others can work.
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
            // One request may have failed the batch, so each runs alone.
            Err(error) if firsts.len() > 1 && was_taken_back(&error) => {}
            Err(error) => {
                for (_, pending) in firsts.drain() {
                    pending.reply(Err(error.clone()));
                }
            }
        }
        for left_over in firsts.into_values() {
            // A task of its own does not hold up the next batch.
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
