//! Metrics for Prometheus.
//!
//! A new metric gets an entry in the table and a function here that records it; nothing else names a metric. Every series
//! exists from the first scrape: a count that has not begun is 0 and not missing, because a rate sees no first step from
//! nothing.

mod requests;
mod table;
mod words;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use self::requests::Routes;
use self::table::{
    BUILD, CHECKS, CONNECTIONS, CONNECTIONS_CLOSED, COPIES, COUNTED_UNTIL, DATABASE_CONNECTIONS, DATABASE_FAILURES,
    DATABASE_RETRIES, DATABASE_UNAVAILABLE, ENDED, LISTENING, LOG_AGE, OPEN, OPEN_TRANSACTION, OPENED, REFRESHES,
    REFUSALS, REPLICA_SEARCHES, REQUEST_SECONDS,
};
use crate::model::EndReason;

pub use self::requests::Route;
pub use self::table::{Kind, Label, METRICS, Metric, Values};
pub use self::words::{
    AnsweredFrom, AnsweringServer, ClosedFor, ConnectionState, DatabaseFailure, Method, RefreshOutcome, RefusedFor,
    StatusClass,
};

const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The recorder.
struct Recorder {
    handle: PrometheusHandle,
    routes: Routes,
}

/// One recorder serves the whole process, because much of what is counted, such as connections, belongs to the process.
static RECORDER: OnceLock<Option<Recorder>> = OnceLock::new();

fn recorder() -> Option<&'static Recorder> {
    RECORDER.get().and_then(Option::as_ref)
}

/// Starts recording; earlier records are lost. A second call changes nothing.
pub fn start() {
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.name.to_owned()), &BUCKETS).ok()?;
        let handle = builder.install_recorder().ok()?;
        for metric in METRICS {
            announce(metric);
        }
        freshness(0, None);
        statistics(None);
        BUILD.gauge(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        Some(Recorder { handle, routes: Routes::new() })
    });
}

/// Describes a metric, and lets its series begin at 0.
fn announce(metric: &Metric) {
    let Metric { name, kind, help, .. } = *metric;
    match kind {
        Kind::Counter => describe_counter!(name, help),
        Kind::Gauge => describe_gauge!(name, help),
        Kind::Histogram => describe_histogram!(name, help),
    }
    for values in metric.series() {
        match kind {
            Kind::Counter => metric.counter(&values).increment(0),
            Kind::Gauge => metric.gauge(&values).set(0.0),
            // Its series are those of routes.
            Kind::Histogram => {}
        }
    }
}

/// All metrics in the Prometheus text format.
pub fn render() -> String {
    DATABASE_UNAVAILABLE.gauge(&[]).set(outage().map_or(0.0, |since| since.elapsed().as_secs_f64()));
    recorder().map(|recorder| recorder.handle.render()).unwrap_or_default()
}

/// Sorts the measurements since the last call into buckets. Without it, memory would grow for as long as nobody
/// scrapes.
pub fn tidy() {
    if let Some(recorder) = recorder() {
        recorder.handle.run_upkeep();
    }
}

/// Announces an operation of a route: its series begin at 0. A method that the route takes without an announcement of its
/// own counts as [`Method::Other`], if that is announced.
pub fn announce_operation(route: Route<'_>, method: Method) {
    if let Some(recorder) = recorder() {
        recorder.routes.announce(route, method, false);
    }
}

/// As [`announce_operation`], for an operation that redirects.
pub fn announce_redirection(route: Route<'_>, method: Method) {
    if let Some(recorder) = recorder() {
        recorder.routes.announce(route, method, true);
    }
}

/// A request was answered. `path`: the template of its route; `None`: no route has its path.
pub fn answered(path: Option<&str>, method: Method, status: u16, took: Duration) {
    if let Some(recorder) = recorder() {
        recorder.routes.answered(path, method, StatusClass::of(status), took);
    }
}

/// A client connected.
pub fn connected() {
    CONNECTIONS.gauge(&[]).increment(1.0);
}

/// A client's connection is closed.
pub fn disconnected() {
    CONNECTIONS.gauge(&[]).decrement(1.0);
}

/// Connections were closed without an answer.
pub fn connections_closed(number: u64, cause: ClosedFor) {
    CONNECTIONS_CLOSED.counter(&[cause.as_str()]).increment(number);
}

/// A session was opened.
pub fn session_opened() {
    OPENED.counter(&[]).increment(1);
}

/// Sessions were ended.
pub fn sessions_ended(number: usize, reason: EndReason) {
    ENDED.counter(&[reason.as_str()]).increment(number as u64);
}

/// The number of open sessions, and the instant up to which it is counted; `None`: not known yet.
pub fn statistics(counted: Option<(u64, DateTime<Utc>)>) {
    #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
    let (open, until) = counted.map_or((f64::NAN, f64::NAN), |(open, until)| (open as f64, until.timestamp() as f64));
    OPEN.gauge(&[]).set(open);
    COUNTED_UNTIL.gauge(&[]).set(until);
}

/// A refresh token was presented.
pub fn refreshed(outcome: RefreshOutcome) {
    REFRESHES.counter(&[outcome.as_str()]).increment(1);
}

/// Tokens were checked.
pub fn checked(answered_from: AnsweredFrom, times: u64) {
    CHECKS.counter(&[answered_from.as_str()]).increment(times);
}

/// The number of cache entries, and the time since the change log was last read; `None`: never read.
pub fn freshness(copies: usize, log_age: Option<Duration>) {
    COPIES.gauge(&[]).set(u32::try_from(copies).unwrap_or(u32::MAX));
    LOG_AGE.gauge(&[]).set(log_age.map_or(f64::INFINITY, |age| age.as_secs_f64()));
}

/// The time for which the oldest transaction of the database cluster has been open.
pub fn open_transaction(age: Duration) {
    OPEN_TRANSACTION.gauge(&[]).set(age.as_secs_f64());
}

/// Whether notifications from other replicas arrive.
pub fn listening(heard: bool) {
    LISTENING.gauge(&[]).set(if heard { 1.0 } else { 0.0 });
}

/// A credential was refused.
pub fn refused(reason: RefusedFor) {
    REFUSALS.counter(&[reason.as_str()]).increment(1);
}

/// The number of connections of one of the store's pools.
pub fn database_connections(pool: &'static str, in_use: usize, idle: usize) {
    for (state, number) in [(ConnectionState::InUse, in_use), (ConnectionState::Idle, idle)] {
        DATABASE_CONNECTIONS.gauge(&[pool, state.as_str()]).set(u32::try_from(number).unwrap_or(u32::MAX));
    }
}

/// A search that may go to the read replica was answered.
pub fn searched(by: AnsweringServer) {
    REPLICA_SEARCHES.counter(&[by.as_str()]).increment(1);
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
    DATABASE_FAILURES.counter(&[failure.as_str()]).increment(1);
}

/// A statement is repeated after a failure.
pub fn database_retried() {
    DATABASE_RETRIES.counter(&[]).increment(1);
}
