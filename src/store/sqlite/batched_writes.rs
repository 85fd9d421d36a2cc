//! Writes of many requests in one transaction, because each transaction waits for the disk.

use std::marker::PhantomData;
use std::sync::Arc;

use sqlx::{SqliteConnection, SqlitePool};

use super::failure::failure;
use crate::store::batching::{BatchJob, Batcher, Pending};
use crate::store::contract::{Error, Result};

/// A kind of write.
pub(super) trait BatchedWrite: Send + Sync + 'static {
    /// Type of a request.
    type Request: Send + Sync + 'static;
    /// Type of the reply to a request.
    type Answer: Send + 'static;

    /// Writes one request, in a transaction that is rolled back when this fails.
    fn write(
        connection: &mut SqliteConnection,
        request: &Self::Request,
    ) -> impl Future<Output = sqlx::Result<Self::Answer>> + Send;
}

/// The batcher for writes of kind `W`.
pub(super) type WriteBatcher<W> = Arc<Batcher<WriteJob<W>>>;

/// Creates the batcher for writes of kind `W`.
pub(super) fn write_batcher<W: BatchedWrite>(writer: &SqlitePool) -> WriteBatcher<W> {
    Batcher::new(WriteJob { writer: writer.clone(), kind: PhantomData })
}

/// The batch job for writes of kind `W`.
pub(super) struct WriteJob<W> {
    writer: SqlitePool,
    kind: PhantomData<W>,
}

impl<W: BatchedWrite> BatchJob for WriteJob<W> {
    type Request = W::Request;
    type Answer = W::Answer;
    const MAX_BATCH: usize = 100;
    // There is one writer.
    const MAX_IN_FLIGHT: usize = 1;
    const MAX_IN_FLIGHT_WHEN_STALLED: usize = 1;
    const EXTRA_BATCH_AT: usize = 1;

    async fn run(self: &Arc<Self>, requests: Vec<Pending<Self>>) -> Vec<Pending<Self>> {
        match self.write_all(&requests).await {
            Ok(answers) => {
                for (pending, answer) in requests.into_iter().zip(answers) {
                    pending.reply(Ok(answer));
                }
            }
            // One request has caused the failure: each then runs by itself, so that the others succeed.
            Err(Error::Internal(_)) if requests.len() > 1 => {
                for pending in requests.into_iter().filter(|pending| !pending.is_given_up()) {
                    let answer = self.write_all(std::slice::from_ref(&pending)).await;
                    pending.reply(
                        answer.and_then(|mut answers| answers.pop().ok_or_else(|| Error::unavailable("no answer"))),
                    );
                }
            }
            Err(error) => {
                for pending in requests {
                    pending.reply(Err(error.clone()));
                }
            }
        }
        Vec::new()
    }
}

impl<W: BatchedWrite> WriteJob<W> {
    async fn write_all(&self, requests: &[Pending<Self>]) -> Result<Vec<W::Answer>> {
        let written = async {
            // The write lock is taken before the first read.
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let mut answers = Vec::with_capacity(requests.len());
            for pending in requests {
                answers.push(W::write(&mut tx, &pending.request).await?);
            }
            tx.commit().await?;
            Ok(answers)
        };
        written.await.map_err(failure)
    }
}

/// Opens sessions.
pub(super) struct Openings;

/// Refreshes sessions.
pub(super) struct Refreshes;

/// Moves the ends of sessions.
pub(super) struct Extensions;

/// Ends sessions by their ids.
pub(super) struct Endings;
