//! Time and randomness: the only room that asks the machine for either.
//!
//! Everything else gets them handed in, so that a test can move time and repeat a run.

use std::sync::Mutex;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::Uuid;

/// Tells the time, in whole microseconds, because that is what PostgreSQL keeps.
pub trait Clock: Send + Sync {
    /// The present instant, UTC, truncated to the microsecond.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that runs with the machine's and can be moved, for tests.
#[derive(Debug, Default)]
pub struct ShiftedClock {
    offset: Mutex<TimeDelta>,
}

impl ShiftedClock {
    /// Moves this clock by `by`, backwards when it is negative.
    pub fn shift(&self, by: TimeDelta) {
        let mut offset = self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *offset += by;
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        let offset = self.offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        SystemClock.now() + *offset
    }
}

/// The operating system's random source gave nothing.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the random source of the operating system gave nothing")]
pub struct EntropyUnavailable;

/// A cryptographically secure source of random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`, wholly or not at all.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable>;
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the random source")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| EntropyUnavailable)
    }
}

/// A UUID version 7 (RFC 9562 section 5.7): the milliseconds of `now`, then 74 random bits.
pub fn uuid_v7(now: DateTime<Utc>, entropy: &dyn Entropy) -> Result<Uuid, EntropyUnavailable> {
    let mut random = [0; 10];
    entropy.fill(&mut random)?;
    let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
}
