//! Deadlines, retries and connections of the store's operations.
//!
//! Within its deadline an operation has up to three attempts, with growing pauses. One that was certainly rolled back (a
//! deadlock, a serialization failure) is always retried. After a broken connection its fate is unknown: it may have
//! committed, and only the answer was lost. Then a retry depends on its effect:
//!
//! | operation | retried when its fate is unknown | because |
//! |---|---|---|
//! | everything that only reads | yes | |
//! | `touch_sessions` | yes | a time is only ever moved forward |
//! | `refresh_session` | yes | the predecessor gets the same successor as long as that was never used, and it was not |
//! | `end_session` | yes | a repeat reports that the session has ended already |
//! | `put_user`, `unban_user`, `change_session` | yes | the same values are written again |
//! | `revoke_service_key`, `remove_signing_keys_before` | yes | the first time stays; a removed key stays removed |
//! | `end_in_bulk` | yes | the second matches the same sessions, and no more |
//! | `delete_stale`, `forget_changes`, `apply_bulk_ending`, `roll_up` | no | a retry would be another batch; the next run continues |
//! | `end_active_session`, `end_sessions_of`, `end_named_sessions`, `ban_user`, `delete_user` | no | they answer the sessions that they ended, and a repeat would find none. Their connection is tested first |
//! | `extend_session` | no | a repeat would extend twice |
//! | `open_session` | no | a repeat would find its own id, or a slot that it took itself |
//! | `add_service_key`, `add_signing_key` | no | a repeat would find its own key and take it for another's |
//!
//! A timeout of a lock or of a connection is never retried: the wait would only be longer.
//!
//! A batch (`batched_writes.rs`) follows the same rules as a whole; afterwards one of its requests may run alone.
//!
//! An operation that is not retried fails as unavailable. That includes a lost COMMIT: it is neither a success nor a "not
//! found".

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

/// Deadline of one operation with all its attempts. The database enforces its own limits while it runs; this one is for
/// when nothing comes back at all.
const DEADLINE: Duration = Duration::from_millis(4500);
/// Deadline of a health check.
const PING_DEADLINE: Duration = Duration::from_secs(1);
/// Time limit for a connection from the pool.
const ACQUIRE_TIME: Duration = Duration::from_secs(1);
/// Time after which an idle connection is closed.
const IDLE_TIME: Duration = Duration::from_secs(5);
/// Time that an ending waits for a shared connection before it takes the reserved one.
const SHARED_ACQUIRE_TIME: Duration = Duration::from_millis(100);

const THREE_ATTEMPTS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(Duration::from_millis(100))
    .with_max_times(2)
    .with_jitter();

/// A pool whose connections are made when they are needed.
pub(super) fn pool(servers: &Arc<Servers>, most: u32, settings: SessionSettings) -> PgPool {
    let patience = if failpoints::enabled(Failpoint::PatientPool) { ACQUIRE_TIME * 30 } else { ACQUIRE_TIME };
    let options = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(patience)
        // Connections that one server does not need are there for the others.
        .idle_timeout(IDLE_TIME);
    servers.pool(options, settings)
}

/// The connections to the database, by what they are for.
pub(super) struct Connections {
    /// For everything that has no pool of its own.
    pub(super) pool: PgPool,
    /// For what may read long.
    pub(super) searches: PgPool,
    endings: PgPool,
    callers: PgPool,
    servers: Arc<Servers>,
}

impl Connections {
    /// Connects when needed. Of the `most` there are, one is kept to end sessions and one to tell who asks, for when all
    /// others are busy; those for searches are more.
    pub(super) fn new(servers: Arc<Servers>, most: u32, most_searches: u32) -> Self {
        Self {
            pool: pool(&servers, most.saturating_sub(2).max(1), SessionSettings::general()),
            searches: pool(&servers, most_searches, SessionSettings::searches(Access::Write)),
            endings: pool(&servers, 1, SessionSettings::endings()),
            callers: pool(&servers, 1, SessionSettings::general()),
            servers,
        }
    }

    /// The pools.
    pub(super) fn pools(&self) -> Vec<Pool> {
        vec![
            Pool::of("main", &self.pool),
            Pool::of("searches", &self.searches),
            Pool::of("endings", &self.endings),
            Pool::of("callers", &self.callers),
        ]
    }

    /// Closes all, each when it is no longer in use.
    pub(super) async fn close(&self) {
        tokio::join!(self.pool.close(), self.searches.close(), self.endings.close(), self.callers.close());
        self.servers.close();
    }

    /// The answer to a batched request, within the deadline.
    pub(super) async fn batched<T: BatchJob>(
        &self,
        batcher: &Arc<Batcher<T>>,
        request: T::Request,
    ) -> Result<T::Answer> {
        in_time(DEADLINE, batcher.submit(request)).await.unwrap_or_else(Err)
    }

    /// An intention that is repeated only when it has certainly not happened.
    pub(super) async fn retry_if_rolled_back<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(DEADLINE, attempt, is_undone, failure).await
    }

    /// An intention that may be repeated when nobody knows whether it happened.
    pub(super) async fn retry_idempotent<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(DEADLINE, attempt, is_undone_or_broken, failure).await
    }

    /// As [`Connections::retry_idempotent`], for a health check.
    pub(super) async fn probe<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        self.with_deadline(PING_DEADLINE, attempt, is_undone_or_broken, failure).await
    }

    /// As [`Connections::retry_idempotent`], for searches, which are two statements at most: the database itself stops one that
    /// reads for too long, before this does.
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
        // On the heap: nested futures hold each other as often as they are moved.
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

    /// A connection to end sessions on, which is there although others wait.
    pub(super) async fn for_ending(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.shared_or_kept(&self.endings).await
    }

    /// As [`Connections::for_ending`], but known to be alive a moment ago, for what is not repeated.
    pub(super) async fn proved_for_ending(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        let proved = || async move {
            let mut connection = self.for_ending().await?;
            connection.ping().await?;
            Ok(connection)
        };
        // Whoever called notes the last failure.
        let tried_again = |error: &sqlx::Error, _| {
            self.note(error);
            metrics::database_retried();
        };
        proved.retry(THREE_ATTEMPTS).when(is_broken).notify(tried_again).await
    }

    /// A connection to find out on who is asking: whoever may end a session must be let in to do it.
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
