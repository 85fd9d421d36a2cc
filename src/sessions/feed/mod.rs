//! The feed of endings: watches of one session, event streams, and the list for offline verifiers.
//!
//! All of it comes from the change log as this process reads it ([`super::change_log`]), so it costs memory and no queries:
//! a watch has a subscription to its session ([`subscriptions`]), an event stream a channel, and offline verifiers read the
//! [`recent_endings`]. No client is slow at the cost of others: a stream that does not keep up is closed, and resumes from
//! its [`cursor`].

mod cursor;
pub mod endings;
pub mod events;
pub mod hub;
mod lifeline;
mod recent_endings;
mod recheck;
pub mod revocations;
pub mod stream_limits;
mod subscriptions;
pub mod watch;

pub use recent_endings::Revoked;
