//! Telling at once what has ended, to whoever keeps a stream open or verifies tokens without asking.
//!
//! Everything here is fed by the change log as this process follows it ([`super::freshness`]), so it costs memory and no
//! queries: those who wait for one session hang on a [`registry`], those who want to hear of every ending on a channel,
//! and those who verify offline read a [`ring`] of what was ended lately. Nobody can be slow at the cost of others: a
//! stream that does not keep up is closed, and goes on from its [`cursor`] when it comes back.

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
