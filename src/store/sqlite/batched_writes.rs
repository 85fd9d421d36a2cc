//! Writes of many requests in one transaction, because each transaction waits for the disk.

use std::marker::PhantomData;
use std::sync::Arc;

use sqlx::{SqliteConnection, SqlitePool};

use super::failure::failure;
use crate::store::batching::{Gathering, Together, Waiting};
use crate::store::contract::{Error, Result};

/// A kind of write.
pub(super) trait Write: Send + Sync + 'static {
    /// What is asked for.
    type Request: Send + Sync + 'static;
    /// What is told of it.
    type Answer: Send + 'static;

    /// Does it, in a transaction that is taken back when this fails.
    fn write(
        connection: &mut SqliteConnection,
        request: &Self::Request,
    ) -> impl Future<Output = sqlx::Result<Self::Answer>> + Send;
}

/// Where requests for a kind of write gather.
pub(super) type Gathered<W> = Arc<Gathering<Batched<W>>>;

/// Where they will.
pub(super) fn gathered<W: Write>(writer: &SqlitePool) -> Gathered<W> {
    Gathering::new(Batched { writer: writer.clone(), kind: PhantomData })
}

/// A kind of write, and where to.
pub(super) struct Batched<W> {
    writer: SqlitePool,
    kind: PhantomData<W>,
}

impl<W: Write> Together for Batched<W> {
    type Request = W::Request;
    type Answer = W::Answer;
    const MOST_TOGETHER: usize = 100;
    // There is one writer.
    const MOST_AT_ONCE: usize = 1;
    const MOST_WITH_STUCK: usize = 1;
    const WORTH_ANOTHER: usize = 1;

    async fn carry_out(self: &Arc<Self>, requests: Vec<Waiting<Self>>) -> Vec<Waiting<Self>> {
        match self.write_all(&requests).await {
            Ok(answers) => {
                for (waiting, answer) in requests.into_iter().zip(answers) {
                    waiting.tell(Ok(answer));
                }
            }
            // One of them is at fault, and the others shall not suffer for it.
            Err(Error::Internal(_)) if requests.len() > 1 => {
                for waiting in requests.into_iter().filter(|waiting| !waiting.is_given_up()) {
                    let answer = self.write_all(std::slice::from_ref(&waiting)).await;
                    waiting.tell(
                        answer.and_then(|mut answers| answers.pop().ok_or_else(|| Error::unavailable("no answer"))),
                    );
                }
            }
            Err(error) => {
                for waiting in requests {
                    waiting.tell(Err(error.clone()));
                }
            }
        }
        Vec::new()
    }
}

impl<W: Write> Batched<W> {
    async fn write_all(&self, requests: &[Waiting<Self>]) -> Result<Vec<W::Answer>> {
        let written = async {
            // Takes the write lock before anything is read.
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let mut answers = Vec::with_capacity(requests.len());
            for waiting in requests {
                answers.push(W::write(&mut tx, &waiting.request).await?);
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
