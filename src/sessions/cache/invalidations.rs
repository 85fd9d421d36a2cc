//! Invalidations in a fixed amount of memory: enough to tell whether a cache entry is older than a change.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::failpoints::{self, Failpoint};
use crate::sessions::freshness::{MAX_STALENESS, STALE_IF_ERROR};

/// Subjects that share a slot share its invalidations, so one entry in as many is dropped without need.
const SLOTS: usize = 1 << 16;

/// A point in the order of the invalidations of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The trust in cache entries, by the time since the change log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The log was read lately: an entry is current.
    Full,
    /// The log was not read for a while: an entry only counts while the store does not answer.
    StaleIfError,
    /// The log was not read for too long: no entry counts.
    Lost,
}

/// The latest invalidations, and the time when the log was last read to its end.
///
/// A reader notes the epoch, reads the store, and adds the entry under that epoch. An invalidation after that epoch makes
/// the entry too old, whichever of the two is written first: so no ended session comes back, and nothing locks.
pub(super) struct Invalidations {
    count: AtomicU64,
    latest: Box<[AtomicU64]>,
    about_everything: AtomicU64,
    hasher: RandomState,
    started: Instant,
    /// Microseconds from `started`; 0: never.
    read_at: AtomicU64,
}

impl Invalidations {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            latest: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            about_everything: AtomicU64::new(0),
            hasher: RandomState::new(),
            started: Instant::now(),
            read_at: AtomicU64::new(0),
        }
    }

    /// The present epoch, which a reader notes before it reads the store.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.count.load(Ordering::SeqCst))
    }

    /// Invalidates every entry about `subject` whose read began before this call.
    pub(super) fn invalidate(&self, subject: &(impl Hash + ?Sized)) {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        self.slot(subject).fetch_max(number, Ordering::SeqCst);
    }

    /// Invalidates every entry.
    pub(super) fn invalidate_all(&self) {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        self.about_everything.fetch_max(number, Ordering::SeqCst);
    }

    /// Whether `subject` was not invalidated since `epoch`.
    pub(super) fn unchanged_since(&self, epoch: Epoch, subject: &(impl Hash + ?Sized)) -> bool {
        self.slot(subject).load(Ordering::SeqCst) <= epoch.0 && self.about_everything.load(Ordering::SeqCst) <= epoch.0
    }

    /// Notes that the change log was read to its end, as of `instant` or later.
    pub(super) fn read_to_end(&self, instant: Instant) {
        let micros = instant.saturating_duration_since(self.started).as_micros();
        self.read_at.fetch_max(u64::try_from(micros).unwrap_or(u64::MAX).max(1), Ordering::SeqCst);
    }

    /// Time since the change log was last read to its end; `None`: never.
    pub(super) fn age(&self) -> Option<Duration> {
        let read_at = self.read_at.load(Ordering::SeqCst);
        (read_at > 0).then(|| self.started.elapsed().saturating_sub(Duration::from_micros(read_at)))
    }

    pub(super) fn trust(&self) -> Trust {
        if failpoints::enabled(Failpoint::RelyOnNotices) && self.age().is_some() {
            return Trust::Full;
        }
        match self.age() {
            Some(age) if age <= MAX_STALENESS => Trust::Full,
            Some(age) if age <= STALE_IF_ERROR => Trust::StaleIfError,
            _ => Trust::Lost,
        }
    }

    #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a hash modulo the number of slots")]
    fn slot(&self, subject: &(impl Hash + ?Sized)) -> &AtomicU64 {
        &self.latest[self.hasher.hash_one(subject) as usize % SLOTS]
    }
}
