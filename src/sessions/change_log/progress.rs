//! The progress of the change log's reader.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::LogPosition;

/// How far the log was read, and when: what was read long ago is needed by nobody any more.
///
/// By the time this process has measured, not by what clocks say: a clock that jumps deletes nothing.
#[derive(Debug, Default)]
pub struct ReadHistory {
    steps: Mutex<VecDeque<(Instant, LogPosition)>>,
}

/// The time between two steps that are remembered.
const STEP: Duration = Duration::from_mins(1);

impl ReadHistory {
    pub fn reached(&self, at: Instant, settled: LogPosition) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.back().is_none_or(|(before, _)| at - *before >= STEP) {
            steps.push_back((at, settled));
        }
    }

    /// Forgets the places of a log that is no more.
    pub fn begin_anew(&self) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The furthest place that was reached `ago` or longer ago.
    pub fn read_long_ago(&self, ago: Duration) -> Option<LogPosition> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        while let Some((_, position)) = steps.pop_front_if(|(at, _)| at.elapsed() >= ago) {
            found = Some(position);
        }
        found
    }
}
