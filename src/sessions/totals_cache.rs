//! The cache of lists too long to be counted each time.

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;

use crate::model::Condition;

/// The lists whose total reached the counting limit, and when. Counting so far costs more than the page, and such a list
/// does not become short in a moment.
#[derive(Debug)]
pub struct TotalsCache(Cache<Condition, DateTime<Utc>>);

/// Time for which a list is taken to be still as long.
const STAYS_LONG: TimeDelta = TimeDelta::seconds(5);
/// The most lists in the cache.
const MAX_ENTRIES: usize = 100;

impl TotalsCache {
    pub fn new() -> Self {
        Self(Cache::new(MAX_ENTRIES))
    }

    pub fn has(&self, condition: &Condition, now: DateTime<Utc>) -> bool {
        self.0.get(condition).is_some_and(|since| (since..since + STAYS_LONG).contains(&now))
    }

    /// Notes that a list has reached the counting limit.
    pub fn insert(&self, condition: Condition, now: DateTime<Utc>) {
        self.0.insert(condition, now);
    }
}
