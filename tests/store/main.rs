//! The contract of a store (`src/store/mod.rs`), case by case, on PostgreSQL and on SQLite.
//!
//! A case is a function; `on_both_databases!` makes two tests of it. Run with `scripts/with-postgres`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails"
)]

#[macro_use]
mod fixture;

mod activity;
mod changing;
mod coverage;
mod ending;
mod failures;
mod idempotency;
mod keys;
mod limits;
mod migrations;
mod opening;
mod plans;
mod reading;
mod refreshing;
mod searching;
mod users;

#[path = "../support/database.rs"]
mod database;
