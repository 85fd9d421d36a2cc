//! Storage of sessions: the contract, and the two stores that fulfil it.

#[macro_use]
mod statements;
pub(crate) mod batching;
mod columns;
mod connect;
mod contract;
mod open_error;
mod pools;
pub mod postgres;
mod requests;
mod search;
pub mod sqlite;
mod stored_time;
mod values;

pub use connect::{is_new, open, open_with_replica};
pub use contract::*;
pub use open_error::OpenError;
