//! The servers that a URL names, and the choice of the current one.
//!
//! Only one task looks for another server, and all pools and lines then connect there. So connections never disagree
//! for long, and a host that hangs delays no request that has a connection.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};

use super::log_identity::identify_server;
use super::session::{SessionSettings, Unfit};
use super::url::{self, Access, Address, UrlError};
use crate::failpoints::{self, Failpoint};
use crate::model::LogId;

/// The time that one server has to accept a connection.
const CONNECT_TIME: Duration = Duration::from_secs(1);
/// The pause between two rounds of all servers.
const ROUND_INTERVAL: Duration = Duration::from_millis(200);
/// Greatest age of a refusal that explains the time-out of a pool.
const CAUSE_LIFETIME: Duration = Duration::from_secs(3);

/// The time of the last broken connection. Older connections are not used after it, because mostly all break at once.
#[derive(Debug, Clone, Default)]
struct LastBreak(Arc<Mutex<Option<Instant>>>);

impl LastBreak {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_before(&self, age: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|last| age < last.elapsed())
    }
}

/// The failures of one round, each with its server.
pub(super) type Failures = Vec<(String, sqlx::Error)>;

/// The servers of one URL.
pub(super) struct Servers {
    access: Access,
    addresses: Vec<Address>,
    /// The settings of a connection that only checks whether a server is fit.
    probe: SessionSettings,
    state: Mutex<State>,
    last_break: LastBreak,
    is_looking: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The index of the server that was fit last.
    current: usize,
    /// Counts the changes of the server: of `current`, or of the server behind its address.
    epoch: u64,
    pools: Vec<PgPool>,
    /// The log of the server that gave the last proof, unless its identity is random.
    proved: Option<LogId>,
    /// Whether the current server leaves commits unconfirmed.
    unconfirmed: bool,
    /// Whether the last round found no server that is fit.
    failing: bool,
    cause: Option<(Instant, String)>,
}

impl Servers {
    pub(super) fn parse(text: &str, access: Access) -> Result<Arc<Self>, UrlError> {
        let probe = match access {
            Access::Write => SessionSettings::general(),
            Access::Read => SessionSettings::searches(access),
        };
        Ok(Arc::new(Self {
            access,
            addresses: url::parse(text, access)?,
            probe,
            state: Mutex::default(),
            last_break: LastBreak::default(),
            is_looking: AtomicBool::new(false),
        }))
    }

    pub(super) fn count(&self) -> usize {
        self.addresses.len()
    }

    /// A number that changes with the current server: connections of another epoch lead to another server.
    pub(super) fn epoch(&self) -> u64 {
        self.state().epoch
    }

    /// A connection to the current server, set up and checked. A failure starts the search for another server.
    pub(super) async fn connect(self: &Arc<Self>, settings: &SessionSettings) -> sqlx::Result<PgConnection> {
        let Some(address) = self.addresses.get(self.state().current) else { return Err(sqlx::Error::PoolClosed) };
        open(address, settings, CONNECT_TIME).await.inspect_err(|error| self.refused(error))
    }

    /// Notes that the current address leads to another server than before: all connections are replaced.
    pub(super) fn replaced(&self) {
        self.state().epoch += 1;
        self.last_break.note();
    }

    /// Notes that the server of this log has proved to be the primary. Connections to any other one are not used from
    /// now on.
    pub(super) fn proved(&self, log: LogId) {
        if failpoints::enabled(Failpoint::ProofOfAnyServer) {
            return;
        }
        let known = Some(log).filter(|log| !log.is_drawn());
        let before = std::mem::replace(&mut self.state().proved, known);
        if before.zip(known).is_some_and(|(before, known)| !before.is_of_server_of(&known)) {
            self.replaced();
        }
    }

    /// Notes that the server of that epoch leaves commits unconfirmed. It may have been replaced, so any other that
    /// takes writes is preferred.
    pub(super) fn unconfirmed(self: &Arc<Self>, epoch: u64) {
        {
            let mut state = self.state();
            if state.epoch != epoch {
                return;
            }
            state.unconfirmed = true;
        }
        self.look();
    }

    /// Tries the servers in turn, the current one first unless it leaves commits unconfirmed, and makes the first that
    /// is fit the current one.
    pub(super) async fn find(&self, settings: &SessionSettings, patience: Duration) -> Result<PgConnection, Failures> {
        let count = self.count();
        let first = {
            let state = self.state();
            state.current + usize::from(state.unconfirmed)
        };
        let mut failures = Vec::new();
        for index in (0..count).map(|next| (first + next) % count) {
            let Some(address) = self.addresses.get(index) else { continue };
            match self.open_fit(address, settings, patience).await {
                Ok(connection) => {
                    self.found(index);
                    return Ok(connection);
                }
                Err(error) => failures.push((address.place.clone(), error)),
            }
        }
        self.found_none(&failures);
        Err(failures)
    }

    /// A connection to one of several servers, unless a fail-over left it behind: an old primary that is started again
    /// takes writes like the new one.
    async fn open_fit(
        &self,
        address: &Address,
        settings: &SessionSettings,
        patience: Duration,
    ) -> sqlx::Result<PgConnection> {
        let mut connection = open(address, settings, patience).await?;
        let known = self.state().proved.filter(|_| self.count() > 1);
        if let Some(known) = known {
            let found = identify_server(&mut connection).await?;
            if found.system == known.system && found.timeline < known.timeline {
                return Err(Unfit::OlderTimeline { found: found.timeline, known: known.timeline }.into());
            }
        }
        Ok(connection)
    }

    /// Finds the newest timeline among several servers that take writes, before one of them is chosen. Servers that do
    /// not answer in time are skipped.
    pub(super) async fn know_newest_timeline(&self) {
        for address in self.addresses.iter().filter(|_| self.count() > 1) {
            let Ok(mut connection) = open(address, &self.probe, CONNECT_TIME).await else { continue };
            let Ok(found) = identify_server(&mut connection).await else { continue };
            drop(connection.close().await);
            let mut state = self.state();
            if !found.is_drawn() && state.proved.is_none_or(|known| known.timeline < found.timeline) {
                state.proved = Some(found);
            }
        }
    }

    /// A pool that connects on demand, to the server that is current at that time.
    pub(super) fn pool(self: &Arc<Self>, options: PgPoolOptions, settings: SessionSettings) -> PgPool {
        let options = self.watched(options, settings);
        let mut state = self.state();
        let pool = options.connect_lazy_with(self.options_of(state.current));
        state.pools.retain(|pool| !pool.is_closed());
        state.pools.push(pool.clone());
        pool
    }

    /// A pool of connections with an application name of their own, which stay with the server that is current now.
    pub(super) fn pool_named(
        self: &Arc<Self>,
        name: &str,
        options: PgPoolOptions,
        settings: SessionSettings,
    ) -> PgPool {
        let current = self.state().current;
        self.watched(options, settings).connect_lazy_with(self.options_of(current).application_name(name))
    }

    /// Sets up and checks connections when they are opened, and drops them once others of their age have broken.
    fn watched(self: &Arc<Self>, options: PgPoolOptions, settings: SessionSettings) -> PgPoolOptions {
        let (last_break, servers) = (self.last_break.clone(), Arc::downgrade(self));
        options
            // A ping would double the round trips; a dead connection fails its first use.
            .test_before_acquire(false)
            .before_acquire(move |_, connection| {
                let usable = last_break.is_before(connection.age);
                Box::pin(async move { Ok(usable) })
            })
            .after_connect(move |connection, _| {
                let (settings, servers) = (settings.clone(), Weak::clone(&servers));
                Box::pin(async move {
                    let servers = servers.upgrade();
                    let prepared = async {
                        settings.prepare(connection).await?;
                        match &servers {
                            Some(servers) => servers.refuse_another(connection).await,
                            None => Ok(()),
                        }
                    };
                    let prepared = prepared.await;
                    if let (Err(error), Some(servers)) = (&prepared, &servers) {
                        servers.refused(error);
                    }
                    prepared
                })
            })
    }

    /// Refuses a connection to a server other than the one that gave the last proof.
    async fn refuse_another(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let Some(proved) = self.state().proved else { return Ok(()) };
        let found = identify_server(connection).await?;
        if found.is_drawn() || found.is_of_server_of(&proved) { Ok(()) } else { Err(Unfit::AnotherServer.into()) }
    }

    /// Notes a broken connection: those of the same age are not used any more.
    pub(super) fn broke(self: &Arc<Self>) {
        self.last_break.note();
        self.look();
    }

    /// Starts the search for a server that is fit, unless it is running.
    pub(super) fn look(self: &Arc<Self>) {
        if !self.is_looking.swap(true, Ordering::AcqRel) {
            tokio::spawn(look(Arc::downgrade(self)));
        }
    }

    /// Replaces the time-out of a pool, which has no cause, by the cause for which connections were refused meanwhile.
    pub(super) fn explained(&self, error: sqlx::Error) -> sqlx::Error {
        match (&error, &self.state().cause) {
            (sqlx::Error::PoolTimedOut, Some((at, cause))) if at.elapsed() < CAUSE_LIFETIME => {
                sqlx::Error::Io(io::Error::other(cause.clone()))
            }
            _ => error,
        }
    }

    /// Forgets the pools, which their owner has closed, and so ends the search for another server.
    pub(super) fn close(&self) {
        self.state().pools.clear();
    }

    fn refused(self: &Arc<Self>, error: &sqlx::Error) {
        self.state().cause = Some((Instant::now(), told(error)));
        self.look();
    }

    fn found(&self, index: usize) {
        let mut state = self.state();
        let place = self.addresses.get(index).map(|address| address.place.as_str()).unwrap_or_default();
        state.cause = None;
        state.unconfirmed = false;
        if std::mem::take(&mut state.failing) {
            tracing::info!("the database at {place} can be used again");
        }
        if state.current != index {
            state.current = index;
            state.epoch += 1;
            for pool in &state.pools {
                pool.set_connect_options(self.options_of(index));
            }
            self.last_break.note();
            let purpose = if self.access == Access::Write { "everything" } else { "searches" };
            tracing::warn!("the database at {place} is used for {purpose} from now on");
        }
    }

    fn found_none(&self, failures: &Failures) {
        let mut state = self.state();
        let cause = listed(failures);
        // At the start the caller reports the failure, and so does a search that goes to the primary instead.
        let is_told = state.pools.is_empty() || self.access == Access::Read;
        if !is_told && !std::mem::replace(&mut state.failing, true) {
            tracing::warn!("the database cannot be used: {cause}");
        }
        state.cause = Some((Instant::now(), cause));
    }

    fn options_of(&self, index: usize) -> PgConnectOptions {
        self.addresses.get(index).map(|address| address.options.clone()).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries all servers, round after round, until one is fit or nobody needs one any more.
async fn look(servers: Weak<Servers>) {
    while let Some(servers) = servers.upgrade() {
        if servers.state().pools.is_empty() {
            servers.is_looking.store(false, Ordering::Release);
            return;
        }
        let epoch = servers.epoch();
        if let Ok(connection) = servers.find(&servers.probe, CONNECT_TIME).await {
            drop(connection.close().await);
            // One more round a second is enough, however many connections fail meanwhile.
            tokio::time::sleep(CONNECT_TIME).await;
            if servers.epoch() != epoch {
                // A connection to the old server may have been opened during the change.
                servers.last_break.note();
            }
            servers.is_looking.store(false, Ordering::Release);
            return;
        }
        drop(servers);
        tokio::time::sleep(ROUND_INTERVAL).await;
    }
}

async fn open(address: &Address, settings: &SessionSettings, patience: Duration) -> sqlx::Result<PgConnection> {
    let opening = async {
        let mut connection = address.options.connect().await?;
        settings.prepare(&mut connection).await?;
        Ok(connection)
    };
    tokio::time::timeout(patience, opening)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Failures in one line.
pub(super) fn listed(failures: &Failures) -> String {
    let each = failures.iter().map(|(place, error)| format!("{place}: {}", told(error)));
    each.collect::<Vec<_>>().join("; ")
}

/// The message of a failure, without the words that sqlx puts before its cause.
pub(super) fn told(error: &sqlx::Error) -> String {
    if let sqlx::Error::Io(cause) = error { cause.to_string() } else { error.to_string() }
}
