//! The table of metrics: the only way to record one.

use metrics::{Counter, Gauge, Histogram, Label as Pair, SharedString};

use super::words::{
    AnsweredFrom, AnsweringServer, ClosedFor, ConnectionState, DatabaseFailure, Method, RefreshOutcome, RefusedFor,
    StatusClass,
};
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

/// The values that a label can have: few, and none of them an id, a token or anything that a client chose.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// These words, in every process.
    Words(fn() -> Vec<&'static str>),
    /// The routes of the server, which are announced when its router is made.
    Routes,
    /// The pools of the store, which are recorded before each scrape.
    Pools,
}

/// A label.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// A metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [Label],
    /// Its description.
    pub help: &'static str,
}

/// Defines metrics, and the list of them all.
macro_rules! metrics {
    ($($metric:ident: $kind:ident = $name:literal [$($label:literal: $values:expr),*] $help:literal;)*) => {
        $(pub(super) static $metric: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$(Label { name: $label, values: $values }),*],
            help: $help,
        };)*

        /// Every metric.
        pub static METRICS: &[&Metric] = &[$(&$metric),*];
    };
}

metrics! {
    REQUESTS: Counter = "sojourn_requests_total"
        [
            "family": Values::Routes,
            "route": Values::Routes,
            "method": Values::Words(|| Method::WORDS.to_vec()),
            "status": Values::Words(|| StatusClass::WORDS.to_vec())
        ]
        "Requests answered, by family, route template, method and class of status; unmatched: no route for path and method";
    REQUEST_SECONDS: Histogram = "sojourn_request_duration_seconds"
        ["family": Values::Routes, "route": Values::Routes]
        "Time until the answer, in seconds";
    CONNECTIONS: Gauge = "sojourn_connections" [] "Connections of clients that are open";
    CONNECTIONS_CLOSED: Counter = "sojourn_connections_closed_total"
        ["cause": Values::Words(|| ClosedFor::WORDS.to_vec())]
        "Connections closed without an answer because there was no room: for newcomer, for same_address, at address_limit";
    OPENED: Counter = "sojourn_sessions_opened_total" [] "Sessions opened";
    ENDED: Counter = "sojourn_sessions_ended_total"
        ["reason": Values::Words(|| EndReason::ALL.map(EndReason::as_str).to_vec())]
        "Sessions ended before their time, by reason";
    OPEN: Gauge = "sojourn_sessions_open" []
        "Sessions neither ended nor expired, with those idle for too long, by the statistics; every replica has the same number";
    COUNTED_UNTIL: Gauge = "sojourn_statistics_timestamp_seconds" []
        "Unix time up to which the statistics and sojourn_sessions_open are counted";
    REFRESHES: Counter = "sojourn_refreshes_total"
        ["outcome": Values::Words(|| RefreshOutcome::WORDS.to_vec())]
        "Refresh tokens presented, by outcome";
    REFUSALS: Counter = "sojourn_authentication_refusals_total"
        ["reason": Values::Words(|| RefusedFor::WORDS.to_vec())]
        "Credentials refused, by reason";
    CHECKS: Counter = "sojourn_checks_total"
        ["answered_from": Values::Words(|| AnsweredFrom::WORDS.to_vec())]
        "Tokens checked, by the source of the answer: copy (the cache) or store";
    COPIES: Gauge = "sojourn_copies" [] "Sessions in the cache";
    LOG_AGE: Gauge = "sojourn_change_log_age_seconds" [] "Seconds since the change log was last read to its end";
    OPEN_TRANSACTION: Gauge = "sojourn_database_open_transaction_seconds" []
        "Age of the oldest open transaction of the database cluster, in seconds; the change log is kept as long";
    LISTENING: Gauge = "sojourn_listening" []
        "1 while notifications from other replicas arrive, 0 while the change log is polled";
    DATABASE_CONNECTIONS: Gauge = "sojourn_database_connections"
        ["pool": Values::Pools, "state": Values::Words(|| ConnectionState::WORDS.to_vec())]
        "Connections to the database, idle or in use";
    DATABASE_FAILURES: Counter = "sojourn_database_failures_total"
        ["kind": Values::Words(|| DatabaseFailure::WORDS.to_vec())]
        "Failures of the database, by kind; repeated statements count each time";
    DATABASE_RETRIES: Counter = "sojourn_database_retries_total" [] "Statements repeated after a failure";
    DATABASE_UNAVAILABLE: Gauge = "sojourn_database_unavailable_seconds" []
        "Age of the current outage of the database, in seconds; 0 without one";
    REPLICA_SEARCHES: Counter = "sojourn_replica_searches_total"
        ["answered_by": Values::Words(|| AnsweringServer::WORDS.to_vec())]
        "Searches that may go to the read replica, by the server that answered: replica or primary";
    BUILD: Gauge = "sojourn_build_info"
        ["version": Values::Words(|| vec![env!("CARGO_PKG_VERSION")])]
        "Always 1, for the version that runs";
}

impl Metric {
    /// The counter with these values of the labels.
    pub(super) fn counter(&self, values: &[&'static str]) -> Counter {
        metrics::counter!(self.name, self.pairs(Kind::Counter, values.iter().copied().map(SharedString::const_str)))
    }

    /// The gauge with these values of the labels.
    pub(super) fn gauge(&self, values: &[&'static str]) -> Gauge {
        metrics::gauge!(self.name, self.pairs(Kind::Gauge, values.iter().copied().map(SharedString::const_str)))
    }

    /// The counter of a route.
    pub(super) fn counter_of_route(&self, values: [SharedString; 4]) -> Counter {
        metrics::counter!(self.name, self.pairs(Kind::Counter, values))
    }

    /// The histogram of a route.
    pub(super) fn histogram_of_route(&self, values: [SharedString; 2]) -> Histogram {
        metrics::histogram!(self.name, self.pairs(Kind::Histogram, values))
    }

    /// The labels with these values. A series with a word that is not in the table would begin at 1, and a rate does not
    /// see its first event. In a debug build, such as the tests', it is a panic.
    fn pairs(&self, kind: Kind, values: impl IntoIterator<Item = SharedString>) -> Vec<Pair> {
        debug_assert_eq!(self.kind, kind, "{}", self.name);
        let pairs: Vec<Pair> = self.labels.iter().zip(values).map(|(label, value)| label.with(value)).collect();
        debug_assert_eq!(pairs.len(), self.labels.len(), "{} needs a value of each label", self.name);
        pairs
    }

    /// Every combination of the labels' words; none for a metric with a label that is announced elsewhere.
    pub(super) fn series(&self) -> Vec<Vec<&'static str>> {
        let each: Option<Vec<_>> = self.labels.iter().map(Label::words).collect();
        each.map_or_else(Vec::new, |each| {
            each.iter().fold(vec![Vec::new()], |series, words| {
                series.iter().flat_map(|values| words.iter().map(|word| [values, &[*word][..]].concat())).collect()
            })
        })
    }
}

impl Label {
    fn words(&self) -> Option<Vec<&'static str>> {
        match self.values {
            Values::Words(words) => Some(words()),
            Values::Routes | Values::Pools => None,
        }
    }

    fn with(&self, value: SharedString) -> Pair {
        let is_announced = || self.words().is_none_or(|words| words.contains(&value.as_ref()));
        debug_assert!(is_announced(), "{}={value} is recorded and not in the table", self.name);
        Pair::new(self.name, value)
    }
}
