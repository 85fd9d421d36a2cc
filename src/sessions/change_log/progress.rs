//! The progress of the change log's reader.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::LogPosition;

/// The history of settled positions: rows before one that was reached long ago are not needed any more.
///
/// Times are measured by this process and not read from clocks, so a clock that jumps deletes nothing.
#[derive(Debug, Default)]
pub struct ReadHistory {
    steps: Mutex<VecDeque<(Instant, LogPosition)>>,
    /// The seconds for which the oldest transaction was open at the last read.
    open_transaction: AtomicU64,
}

/// Time between two recorded positions.
const STEP: Duration = Duration::from_mins(1);

impl ReadHistory {
    pub fn reached(&self, at: Instant, settled: LogPosition) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.back().is_none_or(|(before, _)| at - *before >= STEP) {
            steps.push_back((at, settled));
        }
    }

    /// Notes for how long the oldest transaction of the database has been open.
    pub fn transaction_open_for(&self, age: Duration) {
        self.open_transaction.store(age.as_secs(), Ordering::Relaxed);
    }

    /// The time for which the oldest transaction was open at the last read, in whole seconds.
    pub fn open_transaction(&self) -> Duration {
        Duration::from_secs(self.open_transaction.load(Ordering::Relaxed))
    }

    /// Forgets the positions of a former log.
    pub fn begin_anew(&self) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The last position that was reached `ago` or longer ago.
    pub fn read_long_ago(&self, ago: Duration) -> Option<LogPosition> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        while let Some((_, position)) = steps.pop_front_if(|(at, _)| at.elapsed() >= ago) {
            found = Some(position);
        }
        found
    }
}
