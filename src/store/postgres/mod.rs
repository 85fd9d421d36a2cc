//! The store on PostgreSQL. READ COMMITTED throughout; every statement is written out in full, here or in
//! `store/statements`, to be pasted into `psql`. Deadlines and retries are in `retry.rs`.

#[macro_use]
mod rows;
mod applications;
mod audit;
mod batched_writes;
mod bulk_endings;
mod change_log;
mod commit_warnings;
mod end;
mod failure;
mod idempotency_keys;
mod keys;
mod line;
mod log_identity;
mod log_reader;
mod master_secrets;
mod migrations;
mod one_time_links;
mod open;
mod primary;
mod reauthentication;
mod refresh;
mod replica;
mod retention;
mod retry;
mod search;
mod servers;
mod session;
mod sessions;
mod start;
mod statistics;
mod store;
mod url;
mod users;

pub use commit_warnings::CommitWarnings;
pub use store::PostgresStore;
