//! Deadlines, retries and connections of intentions.
//!
//! Within its deadline an intention is attempted up to three times, with growing pauses. One that was certainly rolled
//! back (a deadlock, a serialization failure) is always retried. When the connection broke, it may have been committed
//! and only the answer was lost; then a retry depends on what a repeat would do:
//!
//! | intention | retried when its fate is unknown | because |
//! |---|---|---|
//! | everything that only reads | yes | a read changes nothing |
//! | `touch_sessions` | yes | times and counters only move forward, and an address goes with its time |
//! | `refresh_session` | yes | the predecessor gets the same successor as long as that was never used, and it was not |
//! | `end_session` | yes | a repeat answers that the session is already ended |
//! | `reauthenticate_session` | yes | a repeat finds a higher least counter and writes nothing; the caller then authenticates once more |
//! | `put_user`, `unban_user`, `change_session` | yes | the same values are written again |
//! | `erase_user`, `note_use_of_secret`, `note_wanted_algorithm` | yes | a repeat finds less to write, or nothing |
//! | `remove_signing_key` | yes | a deleted key stays deleted |
//! | `end_in_bulk` | yes | the second bulk ending has the same filter, and ends nothing that the call does not cover |
//! | `delete_stale`, `forget_changes`, `apply_bulk_ending`, `roll_up` | no | a repeat would be another batch |
//! | `end_active_session`, `end_sessions_of`, `end_named_sessions`, `ban_user`, `delete_user`, `revoke_service_key` | no | they answer the sessions that they ended, and a repeat would find none. A ping proves their connection first |
//! | `extend_session` | no | the end would move twice |
//! | `open_session` | no | a repeat would conflict with its own id, or with the limit that it reached itself |
//! | `put_one_time_link` | no | a repeat would find its own link and take it for another's |
//! | `take_one_time_link` | no | a repeat would find it taken, by itself |
//! | `add_service_key`, `add_signing_key` | no | a repeat would find its own key and take it for another's |
//! | `replace_seal` | no | a repeat would find its own seal and take it for another's |
//!
//! An entry of the audit trail has an id from before the first attempt, so a retry adds none twice.
//!
//! A time-out of a lock or of the pool is never retried: the wait would only be longer.
//!
//! Batched writes (`batched_writes.rs`) are retried by the same rules as a whole; a request of the batch may then run
//! by itself.
//!
//! An intention that is not retried fails as unavailable. That includes a lost COMMIT: the answer is never a success,
//! nor a "not found".

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, PgPool, Postgres};

use super::commit_warnings::unless_warned;
use super::failure::{failure, is_broken, is_undone, is_undone_or_broken, kind, search_failure};
use super::servers::Servers;
use super::session::SessionSettings;
use super::url::Access;
use crate::failpoints::{self, Failpoint};
use crate::metrics::{self, DatabaseFailure};
use crate::store::batching::{BatchJob, Batcher};
use crate::store::contract::{Error, Pool, Result};
use crate::store::pools::SEARCH_TIME;

/// Deadline of one intention with its retries. The database enforces shorter limits while it responds; this one is for
/// when it does not respond at all.
const DEADLINE: Duration = Duration::from_millis(4500);
/// Deadline of a health check.
const PING_DEADLINE: Duration = Duration::from_secs(1);
/// Limit of the wait for a connection.
const ACQUIRE_TIME: Duration = Duration::from_secs(1);
/// Time after which an idle connection is closed.
const IDLE_TIME: Duration = Duration::from_secs(5);
/// Wait for a shared connection before the reserved one is used.
const SHARED_ACQUIRE_TIME: Duration = Duration::from_millis(100);

const THREE_ATTEMPTS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(Duration::from_millis(100))
    .with_max_times(2)
    .with_jitter();

/// A pool that connects on demand.
pub(super) fn pool(servers: &Arc<Servers>, most: u32, settings: SessionSettings) -> PgPool {
    let patience = if failpoints::enabled(Failpoint::PatientPool) { ACQUIRE_TIME * 30 } else { ACQUIRE_TIME };
    let options = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(patience)
        // The database has a limited number of connections: those that one replica does not need are free for the
        // others.
        .idle_timeout(IDLE_TIME);
    servers.pool(options, settings)
}

/// The connections to the database, by purpose.
pub(super) struct Connections {
    /// The pool of all statements that have none of their own.
    pub(super) pool: PgPool,
    /// The pool of searches, which may read for long.
    pub(super) searches: PgPool,
    endings: PgPool,
    callers: PgPool,
    servers: Arc<Servers>,
}

impl Connections {
    /// Connects on demand. Of the `most` connections, one is reserved for endings and one for authentication, for when
    /// all others are busy. The connections for searches are extra.
    pub(super) fn new(servers: Arc<Servers>, most: u32, most_searches: u32) -> Self {
        Self {
            pool: pool(&servers, most.saturating_sub(2).max(1), SessionSettings::general()),
            searches: pool(&servers, most_searches, SessionSettings::searches(Access::Write)),
            endings: pool(&servers, 1, SessionSettings::endings()),
            callers: pool(&servers, 1, SessionSettings::general()),
            servers,
        }
    }

    /// The pools, with their purposes.
    pub(super) fn pools(&self) -> Vec<Pool> {
        vec![
            Pool::of("main", &self.pool),
            Pool::of("searches", &self.searches),
            Pool::of("endings", &self.endings),
            Pool::of("callers", &self.callers),
        ]
    }

    /// Closes all pools, each once its connections are no longer in use.
    pub(super) async fn close(&self) {
        tokio::join!(self.pool.close(), self.searches.close(), self.endings.close(), self.callers.close());
        self.servers.close();
    }

    /// Submits a request to a batcher, within the deadline.
    pub(super) async fn batched<T: BatchJob>(
        &self,
        batcher: &Arc<Batcher<T>>,
        request: T::Request,
    ) -> Result<T::Answer> {
        in_time(DEADLINE, batcher.submit(request)).await.unwrap_or_else(Err)
    }

    /// Runs an intention that is retried only when it was certainly rolled back.
    pub(super) async fn retry_if_rolled_back<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(DEADLINE, attempt, is_undone, failure).await
    }

    /// Runs an intention that is retried even when its fate is unknown.
    pub(super) async fn retry_idempotent<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(DEADLINE, attempt, is_undone_or_broken, failure).await
    }

    /// As [`Connections::retry_idempotent`], with the deadline of a health check.
    pub(super) async fn probe<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(PING_DEADLINE, attempt, is_undone_or_broken, failure).await
    }

    /// As [`Connections::retry_idempotent`], for searches of two statements at most: the database cancels a statement
    /// that reads for too long before this deadline.
    pub(super) async fn search<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(SEARCH_TIME * 2 + ACQUIRE_TIME, attempt, is_undone_or_broken, search_failure).await
    }

    async fn with_deadline<T, F>(
        &self,
        deadline: Duration,
        attempt: impl FnMut() -> F,
        may_be_repeated: fn(&sqlx::Error) -> bool,
        failure: fn(sqlx::Error) -> Error,
    ) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let attempts = attempt
            .retry(THREE_ATTEMPTS)
            .when(|error| {
                self.note(error);
                may_be_repeated(error)
            })
            .notify(|_, _| metrics::database_retried());
        // Boxed, because each level of nested futures that moves this one would contain it once more.
        let attempts = Box::pin(async { attempts.await.map_err(|error| failure(self.servers.explained(error))) });
        let attempts = unless_warned(attempts);
        let done = in_time(deadline, attempts).await.inspect_err(|_| self.servers.look())??;
        metrics::database_answered();
        Ok(done)
    }

    fn note(&self, error: &sqlx::Error) {
        let kind = kind(error);
        metrics::database_failed(kind);
        match kind {
            DatabaseFailure::Connection => {
                self.servers.broke();
                metrics::database_silent();
            }
            DatabaseFailure::AcquireTimeout => {
                self.servers.look();
                metrics::database_silent();
            }
            _ => {}
        }
    }

    /// A connection for endings: a shared one, or the reserved one when all others are busy.
    pub(super) async fn for_ending(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.shared_or_kept(&self.endings).await
    }

    /// As [`Connections::for_ending`], but proved by a ping, for intentions that are not retried.
    pub(super) async fn proved_for_ending(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        let proved = || async move {
            let mut connection = self.for_ending().await?;
            connection.ping().await?;
            Ok(connection)
        };
        // The caller notes the last failure.
        let tried_again = |error: &sqlx::Error, _| {
            self.note(error);
            metrics::database_retried();
        };
        proved.retry(THREE_ATTEMPTS).when(is_broken).notify(tried_again).await
    }

    /// A connection for authentication, which has a reserve too: a client must be authenticated before it can end a
    /// session.
    pub(super) async fn for_caller(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.shared_or_kept(&self.callers).await
    }

    async fn shared_or_kept(&self, kept: &PgPool) -> sqlx::Result<PoolConnection<Postgres>> {
        if failpoints::enabled(Failpoint::NoReserve) {
            return self.pool.acquire().await;
        }
        match tokio::time::timeout(SHARED_ACQUIRE_TIME, self.pool.acquire()).await {
            Ok(connection) => connection,
            Err(_) => kept.acquire().await,
        }
    }
}

async fn in_time<T>(deadline: Duration, work: impl Future<Output = T>) -> Result<T> {
    let deadline = if failpoints::enabled(Failpoint::NoDeadline) { Duration::MAX } else { deadline };
    tokio::time::timeout(deadline, work).await.map_err(|_| {
        metrics::database_failed(DatabaseFailure::Deadline);
        metrics::database_silent();
        Error::unavailable("no answer in time")
    })
}
