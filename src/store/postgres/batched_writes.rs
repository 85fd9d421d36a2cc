//! Writes of many requests in one statement and one commit.
//!
//! A batch never waits for a row lock: it skips locked rows, and requests that are not the usual case. A skipped
//! request runs by itself, in a statement that waits for the lock and answers the reason. So a lock delays only the
//! requests for its row, and no deadlock can form. One wait remains: for a concurrent insert of the same new user. If
//! it takes too long, all requests of the batch run by themselves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use super::failure::was_taken_back;
use super::retry::Connections;
use crate::store::batching::{BatchJob, Batcher, Pending};
use crate::store::contract::Result;

/// The results of a batch, by subject. A request whose row was written and cannot be decoded is not run again.
pub(super) type BatchResults<W> = Vec<(<W as BatchedWrite>::Subject, Result<<W as BatchedWrite>::Answer>)>;

/// A kind of write.
pub(super) trait BatchedWrite: Send + Sync + 'static {
    /// Type of a request.
    type Request: Send + Sync + 'static;
    /// Type of the reply to a request.
    type Answer: Send + 'static;
    /// The row that a request writes. A batch has one request for each row; another one waits for the next batch.
    type Subject: Eq + Hash + Send + Sync;

    fn subject(request: &Self::Request) -> Self::Subject;

    /// Runs as many of the requests as it can, in one statement. A request without a result is to run by itself.
    fn run_batch(
        database: &Connections,
        requests: &[&Self::Request],
    ) -> impl Future<Output = Result<BatchResults<Self>>> + Send;

    /// Runs one request, and waits for locks where it must.
    fn run_single(database: &Connections, request: &Self::Request)
    -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// The batcher for writes of kind `W`.
pub(super) type WriteBatcher<W> = Arc<Batcher<WriteJob<W>>>;

/// Creates the batcher for writes of kind `W`.
pub(super) fn write_batcher<W: BatchedWrite>(database: &Arc<Connections>) -> WriteBatcher<W> {
    Batcher::new(WriteJob { database: Arc::clone(database), kind: PhantomData })
}

/// The batch job for writes of kind `W`.
pub(super) struct WriteJob<W> {
    database: Arc<Connections>,
    kind: PhantomData<W>,
}

impl<W: BatchedWrite> BatchJob for WriteJob<W> {
    type Request = W::Request;
    type Answer = W::Answer;
    const MAX_BATCH: usize = 100;
    // Each batch ends with a wait for the disk, in which the others can work.
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
            // One row may have caused the rollback: the requests then run by themselves, so that the others succeed.
            Err(error) if firsts.len() > 1 && was_taken_back(&error) => {}
            Err(error) => {
                for (_, pending) in firsts.drain() {
                    pending.reply(Err(error.clone()));
                }
            }
        }
        for left_over in firsts.into_values() {
            // The rest has a task of its own, so that the next batch does not wait for a lock.
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
