//! The count of failed sign-ins to the console, by address.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::failure::Rejection;

/// The most failed sign-ins from one address in the window.
const MAX_FAILURES: u32 = 10;
/// The time in which failures are counted together.
const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// The most addresses that are counted at once. Beyond it all others share one count.
const MAX_ADDRESSES: usize = 10_000;

/// The failures of one address.
#[derive(Debug, Clone, Copy)]
struct Failures {
    since: DateTime<Utc>,
    number: u32,
}

/// The failures of late, by address.
#[derive(Debug, Default)]
pub struct SignInFailures(Mutex<HashMap<String, Failures>>);

impl SignInFailures {
    /// Counts a failure, or refuses it as one too many.
    pub(crate) fn count(&self, address: &str, now: DateTime<Utc>) -> Result<(), Rejection> {
        let mut failures = self.lock();
        if failures.len() >= MAX_ADDRESSES {
            failures.retain(|_, failures| now < failures.since + WINDOW);
        }
        let is_full = failures.len() >= MAX_ADDRESSES && !failures.contains_key(address);
        let counted = failures.entry(if is_full { "" } else { address }.to_owned());
        let counted = counted.or_insert(Failures { since: now, number: 0 });
        if now >= counted.since + WINDOW {
            *counted = Failures { since: now, number: 0 };
        }
        if counted.number >= MAX_FAILURES {
            let wait = (counted.since + WINDOW - now).num_seconds();
            return Err(Rejection::TooManyRequests { retry_after: wait.unsigned_abs() + 1 });
        }
        counted.number += 1;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_minute_are_too_many_for_their_address_alone() {
        let (failures, start) = (SignInFailures::default(), DateTime::UNIX_EPOCH);
        let at = |seconds| start + TimeDelta::seconds(seconds);
        for second in 0..10 {
            assert_eq!(failures.count("192.0.2.1", at(second)), Ok(()));
        }
        assert_eq!(failures.count("192.0.2.1", at(10)), Err(Rejection::TooManyRequests { retry_after: 51 }));
        assert_eq!(failures.count("192.0.2.2", at(10)), Ok(()));
        assert_eq!(failures.count("192.0.2.1", at(60)), Ok(()), "the minute is over");
        assert_eq!(failures.count("192.0.2.1", at(61)), Ok(()), "a new count began");
    }

    #[test]
    fn the_table_of_failures_does_not_grow_with_every_address() {
        let failures = SignInFailures::default();
        for address in 0..2 * MAX_ADDRESSES {
            drop(failures.count(&address.to_string(), DateTime::UNIX_EPOCH));
        }
        assert!(failures.lock().len() <= MAX_ADDRESSES + 1);
    }
}
