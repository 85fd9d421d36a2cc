//! Metrics for Prometheus.
//!
//! A new metric gets a line in [`METRICS`] and a function here that records it; nothing else names a metric. Labels have few
//! values, all known beforehand: never an id, a token or anything that a client chose.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::model::EndReason;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows while the process runs.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// Durations in seconds, sorted into buckets.
    Histogram,
}

/// Every metric: its name, kind, labels and description.
pub const METRICS: &[(&str, Kind, &[&str], &str)] = &[
    (
        REQUESTS,
        Kind::Counter,
        &["family", "route", "method", "status"],
        "Requests answered, by family, route template, method and class of status",
    ),
    (REQUEST_SECONDS, Kind::Histogram, &["family", "route"], "Time until the answer, in seconds"),
    (CONNECTIONS, Kind::Gauge, &[], "Connections of clients that are open"),
    (
        CONNECTIONS_CLOSED,
        Kind::Counter,
        &["cause"],
        "Connections closed without an answer because there was no room: for newcomer, for same_address, at address_limit",
    ),
    (OPENED, Kind::Counter, &[], "Sessions opened"),
    (ENDED, Kind::Counter, &["reason"], "Sessions ended before their time, by reason"),
    (REFRESHES, Kind::Counter, &["outcome"], "Refresh tokens presented, by outcome"),
    (REFUSALS, Kind::Counter, &["reason"], "Credentials refused, by reason"),
    (
        CHECKS,
        Kind::Counter,
        &["answered_from"],
        "Tokens checked, by the source of the answer: copy (the cache) or store",
    ),
    (COPIES, Kind::Gauge, &[], "Sessions in the cache"),
    (LOG_AGE, Kind::Gauge, &[], "Seconds since the change log was last read to its end"),
    (
        OPEN_TRANSACTION,
        Kind::Gauge,
        &[],
        "Age of the oldest open transaction of the database cluster, in seconds; the change log is kept as long",
    ),
    (LISTENING, Kind::Gauge, &[], "1 while notifications from other replicas arrive, 0 while the change log is polled"),
    (DATABASE_CONNECTIONS, Kind::Gauge, &["pool", "state"], "Connections to the database, idle or in use"),
    (
        DATABASE_FAILURES,
        Kind::Counter,
        &["kind"],
        "Failures of the database, by kind; repeated statements count each time",
    ),
    (DATABASE_RETRIES, Kind::Counter, &[], "Statements repeated after a failure"),
    (DATABASE_UNAVAILABLE, Kind::Gauge, &[], "Age of the current outage of the database, in seconds; 0 without one"),
    (
        REPLICA_SEARCHES,
        Kind::Counter,
        &["answered_by"],
        "Searches that may go to the read replica, by the server that answered: replica or primary",
    ),
    (BUILD, Kind::Gauge, &["version"], "Always 1, for the version that runs"),
];

const REQUESTS: &str = "sojourn_requests_total";
const REQUEST_SECONDS: &str = "sojourn_request_duration_seconds";
const CONNECTIONS: &str = "sojourn_connections";
const CONNECTIONS_CLOSED: &str = "sojourn_connections_closed_total";
const OPENED: &str = "sojourn_sessions_opened_total";
const ENDED: &str = "sojourn_sessions_ended_total";
const REFRESHES: &str = "sojourn_refreshes_total";
const REFUSALS: &str = "sojourn_authentication_refusals_total";
const CHECKS: &str = "sojourn_checks_total";
const COPIES: &str = "sojourn_copies";
const LOG_AGE: &str = "sojourn_change_log_age_seconds";
const OPEN_TRANSACTION: &str = "sojourn_database_open_transaction_seconds";
const LISTENING: &str = "sojourn_listening";
const DATABASE_CONNECTIONS: &str = "sojourn_database_connections";
const DATABASE_FAILURES: &str = "sojourn_database_failures_total";
const DATABASE_RETRIES: &str = "sojourn_database_retries_total";
const DATABASE_UNAVAILABLE: &str = "sojourn_database_unavailable_seconds";
const REPLICA_SEARCHES: &str = "sojourn_replica_searches_total";
const BUILD: &str = "sojourn_build_info";

const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// One recorder serves the whole process, because much of what is counted, such as connections, belongs to the process.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts recording; earlier records are lost. A second call changes nothing.
pub fn start() {
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &BUCKETS).ok()?;
        let handle = builder.install_recorder().ok()?;
        for (name, kind, _, help) in METRICS {
            match kind {
                Kind::Counter => describe_counter!(*name, *help),
                Kind::Gauge => describe_gauge!(*name, *help),
                Kind::Histogram => describe_histogram!(*name, *help),
            }
        }
        // A count that has not begun is 0, not missing: else a rate would not see its first step.
        counter!(OPENED).increment(0);
        counter!(DATABASE_RETRIES).increment(0);
        for cause in ClosedFor::ALL {
            connections_closed(0, cause);
        }
        for reason in EndReason::ALL {
            counter!(ENDED, "reason" => reason.as_str()).increment(0);
        }
        for kind in DatabaseFailure::ALL {
            counter!(DATABASE_FAILURES, "kind" => kind.as_str()).increment(0);
        }
        for source in [AnsweredFrom::Copy, AnsweredFrom::Store] {
            checked(source, 0);
        }
        for server in [AnsweringServer::Replica, AnsweringServer::Primary] {
            counter!(REPLICA_SEARCHES, "answered_by" => server.as_str()).increment(0);
        }
        gauge!(CONNECTIONS).set(0.0);
        listening(false);
        freshness(0, None);
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Some(handle)
    });
}

/// All metrics in the Prometheus text format.
pub fn render() -> String {
    gauge!(DATABASE_UNAVAILABLE).set(outage().map_or(0.0, |since| since.elapsed().as_secs_f64()));
    RECORDER.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Sorts the measurements since the last call into buckets. Without it, memory would grow for as long as nobody
/// scrapes.
pub fn tidy() {
    if let Some(Some(recorder)) = RECORDER.get() {
        recorder.run_upkeep();
    }
}

/// The metrics of one route, which belongs to one family. The handles are cached, because a look-up by labels costs
/// much more than a record.
struct Route {
    durations: Histogram,
    answers: RwLock<HashMap<(&'static str, &'static str), Counter>>,
}

static ROUTES: RwLock<BTreeMap<String, Arc<Route>>> = RwLock::new(BTreeMap::new());

/// A request was answered.
pub fn answered(family: &'static str, route: &str, method: &'static str, status: u16, took: Duration) {
    let status = match status {
        ..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
    };
    let known = ROUTES.read().unwrap_or_else(PoisonError::into_inner).get(route).map(Arc::clone);
    let known = known.unwrap_or_else(|| {
        let durations = histogram!(REQUEST_SECONDS, "family" => family, "route" => route.to_owned());
        let new = Arc::new(Route { durations, answers: RwLock::default() });
        let mut routes = ROUTES.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(route.to_owned()).or_insert(new))
    });
    known.durations.record(took.as_secs_f64());
    let counter = known.answers.read().unwrap_or_else(PoisonError::into_inner).get(&(method, status)).cloned();
    let counter = counter.unwrap_or_else(|| {
        let route = route.to_owned();
        let new = counter!(REQUESTS, "family" => family, "route" => route, "method" => method, "status" => status);
        let mut answers = known.answers.write().unwrap_or_else(PoisonError::into_inner);
        answers.entry((method, status)).or_insert(new).clone()
    });
    counter.increment(1);
}

/// A client connected.
pub fn connected() {
    gauge!(CONNECTIONS).increment(1.0);
}

/// A client's connection is closed.
pub fn disconnected() {
    gauge!(CONNECTIONS).decrement(1.0);
}

/// The reason why a connection is closed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedFor {
    /// All places were taken, and the client kept the server waiting.
    Newcomer,
    /// All places of the address were taken, and the client kept the server waiting.
    SameAddress,
    /// The address has as many connections as it may have.
    AddressLimit,
}

impl ClosedFor {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Newcomer, Self::SameAddress, Self::AddressLimit];

    fn as_str(self) -> &'static str {
        match self {
            Self::Newcomer => "newcomer",
            Self::SameAddress => "same_address",
            Self::AddressLimit => "address_limit",
        }
    }
}

/// Connections were closed without an answer.
pub fn connections_closed(number: u64, cause: ClosedFor) {
    counter!(CONNECTIONS_CLOSED, "cause" => cause.as_str()).increment(number);
}

/// A session was opened.
pub fn session_opened() {
    counter!(OPENED).increment(1);
}

/// Sessions were ended.
pub fn sessions_ended(number: usize, reason: EndReason) {
    counter!(ENDED, "reason" => reason.as_str()).increment(number as u64);
}

/// A refresh token was presented.
pub fn refreshed(outcome: &'static str) {
    counter!(REFRESHES, "outcome" => outcome).increment(1);
}

/// The source of the answer to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredFrom {
    /// A cache entry in this process.
    Copy,
    /// The store.
    Store,
}

/// Tokens were checked.
pub fn checked(answered_from: AnsweredFrom, times: u64) {
    let answered_from = match answered_from {
        AnsweredFrom::Copy => "copy",
        AnsweredFrom::Store => "store",
    };
    counter!(CHECKS, "answered_from" => answered_from).increment(times);
}

/// The number of cache entries, and the time since the change log was last read; `None`: never read.
pub fn freshness(copies: usize, log_age: Option<Duration>) {
    gauge!(COPIES).set(u32::try_from(copies).unwrap_or(u32::MAX));
    gauge!(LOG_AGE).set(log_age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
}

/// The time for which the oldest transaction of the database cluster has been open.
pub fn open_transaction(age: Duration) {
    gauge!(OPEN_TRANSACTION).set(age.as_secs_f64());
}

/// Whether notifications from other replicas arrive.
pub fn listening(heard: bool) {
    gauge!(LISTENING).set(if heard { 1.0 } else { 0.0 });
}

/// A credential was refused.
pub fn refused(reason: &'static str) {
    counter!(REFUSALS, "reason" => reason).increment(1);
}

/// The number of connections of one of the store's pools.
pub fn database_connections(pool: &'static str, in_use: usize, idle: usize) {
    for (state, number) in [("in_use", in_use), ("idle", idle)] {
        gauge!(DATABASE_CONNECTIONS, "pool" => pool, "state" => state).set(u32::try_from(number).unwrap_or(u32::MAX));
    }
}

/// The kind of a database failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseFailure {
    /// All connections were in use for too long.
    AcquireTimeout,
    /// A connection could not be opened, or broke.
    Connection,
    /// No answer came in time.
    Deadline,
    /// A lock was not available in time.
    LockTimeout,
    /// A statement took too long, and the database stopped it.
    StatementTimeout,
    /// Two transactions conflicted.
    Conflict,
    /// The database is out of space, memory or connections.
    Resources,
    /// Every other error.
    Other,
}

impl DatabaseFailure {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::AcquireTimeout,
        Self::Connection,
        Self::Deadline,
        Self::LockTimeout,
        Self::StatementTimeout,
        Self::Conflict,
        Self::Resources,
        Self::Other,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::AcquireTimeout => "acquire_timeout",
            Self::Connection => "connection",
            Self::Deadline => "deadline",
            Self::LockTimeout => "lock_timeout",
            Self::StatementTimeout => "statement_timeout",
            Self::Conflict => "conflict",
            Self::Resources => "resources",
            Self::Other => "other",
        }
    }
}

/// A server that answers a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweringServer {
    /// The read replica.
    Replica,
    /// The primary, because the replica was unavailable or too far behind.
    Primary,
}

impl AnsweringServer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Primary => "primary",
        }
    }
}

/// A search that may go to the read replica was answered.
pub fn searched(by: AnsweringServer) {
    counter!(REPLICA_SEARCHES, "answered_by" => by.as_str()).increment(1);
}

/// The start of the database's current outage.
static OUTAGE: Mutex<Option<Instant>> = Mutex::new(None);

fn outage() -> MutexGuard<'static, Option<Instant>> {
    OUTAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The database answered.
pub fn database_answered() {
    *outage() = None;
}

/// The database did not answer.
pub fn database_silent() {
    outage().get_or_insert_with(Instant::now);
}

/// The database failed.
pub fn database_failed(failure: DatabaseFailure) {
    counter!(DATABASE_FAILURES, "kind" => failure.as_str()).increment(1);
}

/// A statement is repeated after a failure.
pub fn database_retried() {
    counter!(DATABASE_RETRIES).increment(1);
}
