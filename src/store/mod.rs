//! Storage of sessions: the contract, and the two stores that fulfil it.

#[macro_use]
mod statements;
mod audit_search;
pub(crate) mod batching;
mod columns;
mod connect;
mod contract;
#[cfg(debug_assertions)]
mod flawed;
mod open_error;
mod pools;
pub mod postgres;
mod requests;
mod search;
pub mod sqlite;
mod stored_time;
mod user_search;
mod values;

pub use connect::{is_new, open, open_with_replica};
pub use contract::*;
#[cfg(debug_assertions)]
pub use flawed::with_flaw;
pub use open_error::OpenError;
