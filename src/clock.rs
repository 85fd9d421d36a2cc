//! Time and randomness: the only room that asks the machine for either.
//!
//! Other code receives both as arguments, so that a test can move time and repeat a run.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::Uuid;

/// A source of time, in whole microseconds: PostgreSQL stores no finer ones.
pub trait Clock: Send + Sync {
    /// The present instant, UTC, truncated to the microsecond.
    fn now(&self) -> DateTime<Utc>;

    /// Offers the time of the clock that all replicas share, give or take `uncertainty`. Most clocks ignore it.
    fn learn(&self, _shared: DateTime<Utc>, _uncertainty: TimeDelta) {}
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

/// The machine's clock in microseconds, for numbers that must grow across restarts.
pub fn machine_microseconds() -> i64 {
    SystemClock.now().timestamp_micros()
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

/// A clock that follows the one all replicas share, the database's, however far the machine's own is off. So replicas
/// agree on which sessions have expired.
pub struct SharedClock {
    machine: Arc<dyn Clock>,
    /// The lead of the shared clock over the machine's, in microseconds.
    ahead: AtomicI64,
}

/// Smaller differences are ignored: the machine's clock is steadier than a measurement over the network.
const TOLERANCE: TimeDelta = TimeDelta::milliseconds(500);

impl SharedClock {
    /// Follows `machine` until the shared clock turns out to differ.
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, ahead: AtomicI64::new(0) }
    }
}

impl Clock for SharedClock {
    fn now(&self) -> DateTime<Utc> {
        self.machine.now() + TimeDelta::microseconds(self.ahead.load(Ordering::Relaxed))
    }

    fn learn(&self, shared: DateTime<Utc>, uncertainty: TimeDelta) {
        let off = shared - self.now();
        if off.abs() <= TOLERANCE + uncertainty {
            return;
        }
        let ahead = (shared - self.machine.now()).num_microseconds().unwrap_or(0);
        self.ahead.store(ahead, Ordering::Relaxed);
        tracing::warn!(seconds = off.as_seconds_f64(), "this machine's clock is off; the database's is used");
    }
}

/// The operating system's random source gave nothing.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the random source of the operating system failed")]
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
