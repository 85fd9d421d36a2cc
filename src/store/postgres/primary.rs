//! Proofs that the database is still the primary.
//!
//! A primary that was replaced answers every query as before, and so does a standby. Only a commit tells them apart: a
//! standby and a read-only session refuse it, and where replication is synchronous a primary that lost its standby to a
//! promotion never confirms it. So a small commit is made a few times a second, and an answer is given only while the
//! last one is recent.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::commit_warnings::unless_warned;
use super::failure::failure;
use super::line::{Connected, Connector, LINE_DEADLINE};
use super::log_identity::identify;
use super::session::PROOF_NAME;
use crate::failpoints::{self, Failpoint};
use crate::model::LogId;
use crate::store::contract::{Error, Result};

/// Age at which a proof is renewed.
const PROOF_INTERVAL: Duration = Duration::from_millis(250);
/// Greatest age of a proof for a read of the change log.
const PROOF_FOR_LOG: Duration = Duration::from_secs(1);
/// Wait of such a read for the proof that was begun with it.
const PROOF_PATIENCE: Duration = Duration::from_millis(50);
/// Greatest age of a proof for any other answer.
const PROOF_FOR_ANSWER: Duration = Duration::from_secs(5);
/// Limit of the wait for a confirmation. The connection is then dropped, because it may be dead itself.
const PROOF_TIME: Duration = Duration::from_secs(2);

/// The proof that the database is the primary.
pub(super) struct Primary {
    connector: Connector,
    /// One proof at a time: a commit that waits for the standby occupies a connection of the database.
    connection: Arc<Mutex<Option<(Connected, LogId)>>>,
    proof: watch::Sender<Proof>,
    /// The backend process of the last connection. It continues to wait for the standby when the connection is dropped.
    process: AtomicI32,
}

#[derive(Debug, Clone, Default)]
struct Proof {
    /// Start of the last proof that succeeded.
    proved_at: Option<Instant>,
    /// The log of the server that gave the proof, and the epoch of its use: the proof holds for no other server.
    log: LogId,
    epoch: u64,
    /// Time and cause of the failure, if the last proof failed.
    failure: Option<(Instant, Error)>,
}

impl Proof {
    fn younger_than(&self, age: Duration, epoch: u64) -> Option<Instant> {
        self.proved_at.filter(|at| at.elapsed() < age && self.epoch == epoch)
    }
}

impl Primary {
    /// The connector's settings must commit as endings do.
    pub(super) fn new(connector: Connector) -> Arc<Self> {
        Arc::new(Self {
            connector,
            connection: Arc::default(),
            proof: watch::Sender::default(),
            process: AtomicI32::new(0),
        })
    }

    /// Begins the next proof, if one is due.
    pub(super) fn renew(self: &Arc<Self>) {
        if self.proof.borrow().younger_than(PROOF_INTERVAL, self.connector.epoch()).is_none() {
            self.prove_in_background();
        }
    }

    /// The start of the last proof, for a read of the change log. Waits a little for the proof that was begun with the
    /// read.
    pub(super) async fn proved_for_log(self: &Arc<Self>) -> Result<Instant> {
        match self.proved_within(PROOF_INTERVAL, PROOF_PATIENCE).await {
            Ok(proved_at) => Ok(proved_at),
            Err(_) => self.proved_within(PROOF_FOR_LOG, LINE_DEADLINE).await,
        }
    }

    /// Whether the server of this log gave the last proof. If not, connections lead to several servers, and all are
    /// replaced.
    pub(super) fn is_of(&self, log: LogId) -> bool {
        let proved = self.proof.borrow().log;
        // A log with a random identity is not comparable.
        let same =
            proved == log || log.is_drawn() || proved.is_drawn() || failpoints::enabled(Failpoint::ProofOfAnyServer);
        if !same {
            self.connector.replaced();
        }
        same
    }

    /// Returns once a recent proof allows an answer from this database.
    pub(super) async fn proved_for_answer(self: &Arc<Self>) -> Result<()> {
        self.proved_within(PROOF_FOR_ANSWER, LINE_DEADLINE).await.map(drop)
    }

    /// Returns once a commit is confirmed that began after this call. The standby then also has everything that was
    /// visible before, such as an ending whose own wait was cancelled.
    pub(super) async fn confirmed(self: &Arc<Self>) -> Result<()> {
        let asked = Instant::now();
        let mut proofs = self.proof.subscribe();
        let confirmed = async {
            loop {
                // No proof begins while an older one is running.
                self.prove_in_background();
                let Proof { proved_at, epoch, failure, .. } = Proof::clone(&proofs.borrow_and_update());
                if proved_at.is_some_and(|at| at >= asked) && epoch == self.connector.epoch() {
                    return Ok(());
                }
                if let Some((_, error)) = failure.filter(|(failed_at, _)| *failed_at >= asked) {
                    return Err(error);
                }
                proofs.changed().await.map_err(|_| Error::unavailable("the store is closed"))?;
            }
        };
        tokio::time::timeout(PROOF_TIME * 2, confirmed)
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("no answer in time")))
    }

    async fn proved_within(self: &Arc<Self>, age: Duration, patience: Duration) -> Result<Instant> {
        if failpoints::enabled(Failpoint::AnswersAreProof) {
            return Ok(Instant::now());
        }
        let asked = Instant::now();
        let young = self.proof.borrow().younger_than(age, self.connector.epoch());
        self.renew();
        if let Some(proved_at) = young {
            return Ok(proved_at);
        }
        let is_told = |proof: &Proof| {
            proof.younger_than(age, self.connector.epoch()).is_some()
                || proof.failure.as_ref().is_some_and(|(failed_at, _)| *failed_at >= asked)
        };
        let mut proofs = self.proof.subscribe();
        let told = tokio::time::timeout(patience, proofs.wait_for(is_told)).await.ok();
        let proof = told.and_then(|told| told.ok().map(|proof| Proof::clone(&proof)));
        match proof {
            Some(Proof { failure: Some((_, error)), .. }) => Err(error),
            Some(Proof { proved_at: Some(proved_at), .. }) => Ok(proved_at),
            _ => Err(Error::unavailable(
                "the database does not confirm a commit: its synchronous standby may be missing",
            )),
        }
    }

    /// The proof has a task of its own: callers may give up, and each would leave one more waiting commit behind.
    fn prove_in_background(self: &Arc<Self>) {
        if let Ok(connection) = Arc::clone(&self.connection).try_lock_owned() {
            let primary = Arc::clone(self);
            tokio::spawn(async move {
                let started = Instant::now();
                let proof = match unless_warned(primary.prove(connection)).await {
                    Ok((log, epoch)) => {
                        primary.connector.proved(log);
                        Proof { proved_at: Some(started), log, epoch, failure: None }
                    }
                    Err(error) => {
                        let failure = Some((Instant::now(), error));
                        Proof { failure, ..Proof::clone(&primary.proof.borrow()) }
                    }
                };
                primary.proof.send_replace(proof);
            });
        }
    }

    async fn prove(&self, mut place: OwnedMutexGuard<Option<(Connected, LogId)>>) -> Result<(LogId, u64)> {
        let used = self.connector.epoch();
        let commit = async {
            let before = place.take().filter(|(connected, _)| self.connector.is_current(connected));
            let (mut connected, log) = match before {
                Some(before) => before,
                None => self.connect().await?,
            };
            let takes_writes = commit(&mut connected.connection).await?;
            let proof = takes_writes.then_some((log, connected.epoch()));
            *place = Some((connected, log));
            Ok(proof)
        };
        match tokio::time::timeout(PROOF_TIME, commit).await {
            Ok(Ok(Some(proof))) => Ok(proof),
            Ok(Ok(None)) => Err(Error::unavailable("the database takes no writes: it is a standby, or read-only")),
            Ok(Err(error)) => Err(failure(error)),
            Err(_) => {
                self.connector.unconfirmed(used);
                Err(Error::unavailable(
                    "the database does not confirm a commit: its synchronous standby may be missing",
                ))
            }
        }
    }

    /// Opens a new connection and terminates the backend of the dropped one, because the database limits connections.
    async fn connect(&self) -> sqlx::Result<(Connected, LogId)> {
        const END: &str = "
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2";
        let mut connected = self.connector.connect().await?;
        let connection = &mut connected.connection;
        let before = self.process.load(Ordering::Relaxed);
        if before != 0 {
            sqlx::query(END).bind(before).bind(PROOF_NAME).execute(&mut *connection).await?;
        }
        let process = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *connection).await?;
        self.process.store(process, Ordering::Relaxed);
        let log = identify(connection).await?;
        Ok((connected, log))
    }

    pub(super) async fn close(&self) {
        drop(self.connection.lock().await.take());
    }
}

/// Makes a commit that a synchronous standby must confirm, where there is one. Answers whether the database takes
/// writes.
async fn commit(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // A logical message makes the transaction write to the write-ahead log, and to no table.
    const PROVE: &str = "
        SELECT CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN FALSE
                    WHEN current_setting('synchronous_standby_names') = '' THEN TRUE
                    ELSE pg_logical_emit_message(TRUE, 'sojourn', '') IS NOT NULL END";
    sqlx::query_scalar(PROVE).fetch_one(connection).await
}
