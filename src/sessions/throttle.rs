//! The throttle of deletions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest pause after a batch.
const MAX_REST: Duration = Duration::from_secs(1);
/// Batches smaller than this are too small to measure speed by.
const TELLING: u64 = 1000;

/// The throttle of deletions: a batch that takes twice as long as the quickest one shows that other callers need the
/// database, and they come first.
#[derive(Debug)]
pub struct Throttle {
    /// Shortest time of a row so far, in nanoseconds.
    quickest: AtomicU64,
}

impl Throttle {
    pub fn new() -> Self {
        Self { quickest: AtomicU64::new(u64::MAX) }
    }

    /// Pause after a batch of `rows` that took `took`.
    pub fn rest(&self, rows: u64, took: Duration) -> Duration {
        if rows < TELLING {
            return Duration::ZERO;
        }
        let each = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / rows;
        let quickest = self.quickest.fetch_min(each, Ordering::Relaxed).min(each);
        if each / 2 > quickest { (took * 3).min(MAX_REST) } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_slowed_down_by_others_makes_room_for_them() {
        let (pace, millis) = (Throttle::new(), Duration::from_millis);
        // The first batch has nothing to be compared with, the next ones are as fast, and the last is too small to tell.
        assert_eq!(pace.rest(5000, millis(40)), Duration::ZERO);
        assert_eq!(pace.rest(5000, millis(30)), Duration::ZERO);
        assert_eq!(pace.rest(5000, millis(45)), Duration::ZERO);
        assert_eq!(pace.rest(999, millis(900)), Duration::ZERO);
        assert_eq!(pace.rest(5000, millis(70)), millis(210));
        assert_eq!(pace.rest(2000, millis(30)), millis(90), "less than half as many in the same time");
        assert_eq!(pace.rest(5000, millis(900)), MAX_REST);
        assert_eq!(pace.rest(5000, millis(30)), Duration::ZERO, "alone again");
    }
}
