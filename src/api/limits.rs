//! Rate limits by caller.

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

use super::endings::{ends_own_session, is_ending};
use super::failure::Rejection;
use super::family::Family;
use super::forwarding::Forwarding;
use crate::model::{Caller, SessionId, UserId};

/// The time in which a caller may make as many requests as the limit.
const WINDOW: Duration = Duration::from_mins(5);

type Limiter = RateLimiter<String, DashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// Counts requests by caller.
pub struct RateLimits {
    limiter: Option<(NonZeroU32, Limiter)>,
    forwarding: Forwarding,
}

/// The rest of a caller's budget, for the headers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    /// The most requests in the window.
    pub(super) limit: u32,
    /// The requests left at this moment.
    pub(super) remaining: u32,
    /// Seconds until the budget is full again.
    pub(super) full_in: u64,
}

/// The request extension by which an extractor passes the budget to the middleware that writes the headers.
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

/// The caller for whom a request is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted<'a> {
    /// An authenticated caller.
    Caller(&'a Caller),
    /// A banned user.
    User(&'a UserId),
    /// A session, for requests whose token is their only credential.
    Session(SessionId),
    /// The client's address, because nothing else is known of the client.
    Address,
}

/// The kinds of endings that have budgets of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The request does more than end sessions.
    None,
    /// The request ends sessions, its own perhaps not among them.
    Others,
    /// The request ends its own session. A thief who holds the token cannot spend this budget without ending the theft.
    OwnSession,
}

impl Ending {
    fn of<F: Family>(parts: &Parts, counted: Counted<'_>) -> Self {
        let own = match counted {
            Counted::Caller(caller) => caller.session_id(),
            Counted::Session(session) => Some(session),
            Counted::User(_) | Counted::Address => None,
        };
        match own {
            _ if !is_ending::<F>(parts) => Self::None,
            Some(own) if ends_own_session::<F>(parts, own) => Self::OwnSession,
            _ => Self::Others,
        }
    }
}

impl RateLimits {
    /// `most` requests by each caller in five minutes, 0 for any number. `forwarding` finds addresses behind proxies.
    pub fn new(most: u32, forwarding: Forwarding) -> Self {
        let limiter = NonZeroU32::new(most).and_then(|most| {
            let quota = Quota::with_period(WINDOW / most.get())?.allow_burst(most);
            Some((most, RateLimiter::dashmap(quota).with_middleware::<StateInformationMiddleware>()))
        });
        Self { limiter, forwarding }
    }

    /// Counts a request for its caller, and refuses it when there were too many.
    pub(crate) fn admit<F: Family>(&self, parts: &Parts, counted: Counted<'_>) -> Result<(), Rejection> {
        let Some((most, limiter)) = &self.limiter else { return Ok(()) };
        let key = self.budget(parts, counted, Ending::of::<F>(parts, counted));
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

    /// Whether requests are counted at all.
    pub(super) fn are_on(&self) -> bool {
        self.limiter.is_some()
    }

    /// The name of the budget that pays for a request. Requests that only end sessions have a budget of their own, so
    /// that nobody who exhausts another one can keep people from signing out.
    fn budget(&self, parts: &Parts, counted: Counted<'_>, ending: Ending) -> String {
        let kind = match ending {
            Ending::None => "",
            Ending::Others => "ending by ",
            Ending::OwnSession => "own ending by ",
        };
        match counted {
            Counted::Caller(Caller::User(signed_in)) if ending == Ending::None => {
                format!("user {}", signed_in.session.user_id)
            }
            Counted::Caller(Caller::User(signed_in)) => format!("{kind}session {}", signed_in.session.id),
            Counted::Caller(Caller::Service(service)) => format!("{kind}service {}", service.id),
            Counted::User(user) => format!("user {user}"),
            Counted::Session(session) => format!("{kind}session {session}"),
            Counted::Address => {
                format!("address {}", network_of(self.forwarding.client_address(&parts.headers, &parts.extensions)))
            }
        }
    }

    /// Forgets callers whose budget is full again, so that the table does not grow with every address ever seen.
    pub fn forget_idle(&self) {
        if let Some((_, limiter)) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// The network that counts as one client: an IPv4 address, or an IPv6 /64, which is what one household has.
pub(crate) fn network_of(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => {
            ipnet::Ipv6Net::new(address, 64).map(|network| network.trunc().to_string()).unwrap_or_default()
        }
        Some(IpAddr::V4(address)) => address.to_string(),
        None => String::new(),
    }
}

impl Budget {
    /// Writes the headers of the families' originals; the reset is in Unix seconds.
    pub(super) fn write_original_headers(self, headers: &mut HeaderMap, now: DateTime<Utc>) {
        let reset = now.timestamp().saturating_add_unsigned(self.full_in);
        headers.insert(HeaderName::from_static("x-ratelimit-limit"), self.limit.into());
        headers.insert(HeaderName::from_static("x-ratelimit-remaining"), self.remaining.into());
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), reset.into());
    }

    /// Writes the headers of draft-ietf-httpapi-ratelimit-headers-10.
    pub(super) fn write_standard_headers(self, headers: &mut HeaderMap) {
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    use super::*;

    #[test]
    fn addresses_whose_budget_is_full_again_are_forgotten() {
        let limits = RateLimits::new(1_000_000, Forwarding::new(None, Vec::new()));
        let (_, limiter) = limits.limiter.as_ref().unwrap();
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        for number in 0..100_000_u128 {
            let address = std::net::Ipv6Addr::from_bits(number << 64);
            parts.extensions.insert(ConnectInfo(SocketAddr::new(address.into(), 1)));
            limits.admit::<crate::api::native::Native>(&parts, Counted::Address).unwrap();
        }
        // Each budget is full again after 0.3 milliseconds.
        while !limiter.is_empty() {
            limits.forget_idle();
        }
    }
}
