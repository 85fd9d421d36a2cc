//! The store on an embedded SQLite file. One connection writes, others read; every statement is written out in full,
//! here or in `store/statements`, to be pasted into `sqlite3`.

#[macro_use]
mod rows;
mod applications;
mod audit;
mod batched_writes;
mod bulk_endings;
mod change_log;
mod end;
mod failure;
mod idempotency_keys;
mod keys;
mod log_file;
mod log_numbers;
mod master_secrets;
mod one_time_links;
mod open;
mod reauthentication;
mod refresh;
mod retention;
mod search;
mod sessions;
mod statistics;
mod store;
mod users;

pub use store::SqliteStore;
