//! Failures of SQLite, and the time limit of requests.

use std::sync::Arc;
use std::time::Duration;

use crate::failpoints::{self, Failpoint};
use crate::metrics::{self, DatabaseFailure};
use crate::store::batching::{BatchJob, Batcher};
use crate::store::contract::{Error, Result};

/// Time that a request waits for the writer and for its answer.
pub(super) const WRITER_TIME: Duration = Duration::from_secs(5);
/// The primary result code of an error that SQLite reported.
pub(super) fn result_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(database) = error else { return None };
    database.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    result_code(error) == Some(5)
}

/// Submits a request to a batcher, and waits at most [`WRITER_TIME`], including the batches before it.
pub(super) async fn in_time<T: BatchJob>(batcher: &Arc<Batcher<T>>, request: T::Request) -> Result<T::Answer> {
    tokio::time::timeout(WRITER_TIME, batcher.submit(request)).await.unwrap_or_else(|_| {
        metrics::database_failed(DatabaseFailure::Deadline);
        Err(Error::unavailable("no answer in time"))
    })
}

/// Separates failures that a retry may cure from defects.
pub(super) fn failure(error: sqlx::Error) -> Error {
    metrics::database_failed(kind(&error));
    let unavailable = match &error {
        // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL.
        sqlx::Error::Database(_) => matches!(result_code(&error), Some(5 | 6 | 8 | 10 | 13 | 14 | 15)),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        _ => false,
    };
    let unavailable = unavailable && !failpoints::enabled(Failpoint::OutageIsDefect);
    if unavailable { Error::Unavailable(Arc::new(error)) } else { Error::Internal(Arc::new(error)) }
}

pub(super) fn search_failure(error: sqlx::Error) -> Error {
    let too_slow = kind(&error) == DatabaseFailure::StatementTimeout;
    let error = failure(error);
    if too_slow { Error::TooSlow } else { error }
}

pub(super) fn kind(error: &sqlx::Error) -> DatabaseFailure {
    match (error, result_code(error)) {
        (sqlx::Error::PoolTimedOut, _) => DatabaseFailure::AcquireTimeout,
        // BUSY, LOCKED.
        (_, Some(5 | 6)) => DatabaseFailure::LockTimeout,
        // INTERRUPT.
        (_, Some(9)) => DatabaseFailure::StatementTimeout,
        // NOMEM, FULL.
        (_, Some(7 | 13)) => DatabaseFailure::Resources,
        _ => DatabaseFailure::Other,
    }
}
