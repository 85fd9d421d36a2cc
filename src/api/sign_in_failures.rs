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
    /// Refuses a sign-in from an address with too many failures.
    pub(crate) fn admit(&self, address: &str, now: DateTime<Utc>) -> Result<(), Rejection> {
        let failures = self.lock();
        let of_address = failures.get(address);
        match of_address.or_else(|| failures.get("").filter(|_| failures.len() >= MAX_ADDRESSES)) {
            Some(Failures { since, number }) if *number >= MAX_FAILURES && now < *since + WINDOW => {
                let wait = (*since + WINDOW - now).num_seconds();
                Err(Rejection::TooManyRequests { retry_after: wait.unsigned_abs() + 1 })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(crate) fn count(&self, address: &str, now: DateTime<Utc>) {
        let mut failures = self.lock();
        if failures.len() >= MAX_ADDRESSES {
            failures.retain(|_, failures| now < failures.since + WINDOW);
        }
        let address = if failures.len() >= MAX_ADDRESSES { "" } else { address };
        let counted = failures.entry(address.to_owned()).or_insert(Failures { since: now, number: 0 });
        if now >= counted.since + WINDOW {
            *counted = Failures { since: now, number: 0 };
        }
        counted.number += 1;
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
            assert_eq!(failures.admit("192.0.2.1", at(second)), Ok(()));
            failures.count("192.0.2.1", at(second));
        }
        assert_eq!(failures.admit("192.0.2.1", at(10)), Err(Rejection::TooManyRequests { retry_after: 51 }));
        assert_eq!(failures.admit("192.0.2.2", at(10)), Ok(()));
        assert_eq!(failures.admit("192.0.2.1", at(60)), Ok(()), "the minute is over");
        failures.count("192.0.2.1", at(60));
        assert_eq!(failures.admit("192.0.2.1", at(61)), Ok(()), "a new count began");
    }

    #[test]
    fn the_table_of_failures_does_not_grow_with_every_address() {
        let failures = SignInFailures::default();
        for address in 0..2 * MAX_ADDRESSES {
            failures.count(&address.to_string(), DateTime::UNIX_EPOCH);
        }
        assert!(failures.lock().len() <= MAX_ADDRESSES + 1);
    }
}
