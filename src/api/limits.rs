//! How many requests one caller may make.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Rejection;
use super::forwarding::Forwarding;
use crate::sessions::Caller;

/// The time that a limit is told for.
const WINDOW: Duration = Duration::from_mins(5);

type Limiter = RateLimiter<String, DashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// Counts requests by caller.
pub struct RateLimits {
    limiter: Option<(NonZeroU32, Limiter)>,
    forwarding: Forwarding,
}

/// What is left to a caller, for the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// How many requests fit into the window.
    pub(super) limit: u32,
    /// How many are left at this moment.
    pub(super) remaining: u32,
    /// Seconds until all of them are there again.
    pub(super) full_in: u64,
}

/// Where the budget of a request is noted on the way in, to be told on the way out.
#[derive(Clone, Default)]
pub(super) struct BudgetSlot(Arc<Mutex<Option<Budget>>>);

impl BudgetSlot {
    pub(super) fn take(&self) -> Option<Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, budget: Budget) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(budget);
    }
}

impl RateLimits {
    /// `most` requests of one caller in five minutes, 0 for any number. `forwarding` tells addresses behind proxies.
    pub fn new(most: u32, forwarding: Forwarding) -> Self {
        let limiter = NonZeroU32::new(most).and_then(|most| {
            let quota = Quota::with_period(WINDOW / most.get())?.allow_burst(most);
            Some((most, RateLimiter::dashmap(quota).with_middleware::<StateInformationMiddleware>()))
        });
        Self { limiter, forwarding }
    }

    /// Counts a request of a caller, or one that nobody owns up to, by its address. Refuses it when there were too many.
    pub(super) fn admit(&self, parts: &Parts, caller: Option<&Caller>) -> Result<(), Rejection> {
        let Some((most, limiter)) = &self.limiter else { return Ok(()) };
        let key = match caller {
            Some(Caller::User(signed_in)) => format!("user {}", signed_in.session.user_id),
            Some(Caller::Service(service)) => format!("service {}", service.id),
            None => format!("address {}", network_of(self.forwarding.client_address(parts))),
        };
        let (remaining, retry_after) = match limiter.check_key(&key) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(refused) => (0, Some(refused.wait_time_from(DefaultClock::default().now()))),
        };
        let spent = most.get().saturating_sub(remaining);
        let full_in = (WINDOW / most.get() * spent).as_secs() + u64::from(spent > 0);
        if let Some(slot) = parts.extensions.get::<BudgetSlot>() {
            slot.put(Budget { limit: most.get(), remaining, full_in });
        }
        match retry_after {
            None => Ok(()),
            Some(wait) => Err(Rejection::TooManyRequests { retry_after: wait.as_secs() + 1 }),
        }
    }

    /// Forgets callers whose budget is full again, so that the table does not grow with every address ever seen.
    pub fn forget_idle(&self) {
        if let Some((_, limiter)) = &self.limiter {
            limiter.retain_recent();
        }
    }
}

/// One household has one IPv4 address but 2^64 of IPv6.
fn network_of(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => {
            ipnet::Ipv6Net::new(address, 64).map(|network| network.trunc().to_string()).unwrap_or_default()
        }
        Some(IpAddr::V4(address)) => address.to_string(),
        None => String::new(),
    }
}

impl Budget {
    /// The headers that the families' originals have; the reset is told in Unix seconds.
    pub(super) fn tell_originals(self, headers: &mut HeaderMap, now: DateTime<Utc>) {
        let reset = now.timestamp().saturating_add_unsigned(self.full_in);
        headers.insert(HeaderName::from_static("x-ratelimit-limit"), self.limit.into());
        headers.insert(HeaderName::from_static("x-ratelimit-remaining"), self.remaining.into());
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), reset.into());
    }

    /// The headers of draft-ietf-httpapi-ratelimit-headers-10.
    pub(super) fn tell_standard(self, headers: &mut HeaderMap) {
        let Self { limit, remaining, full_in } = self;
        let policy = format!("\"default\";q={limit};w={}", WINDOW.as_secs());
        let state = format!("\"default\";r={remaining};t={full_in}");
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
