//! The contract of a store (`src/store/contract`), case by case, on PostgreSQL and on SQLite.
//!
//! A case is a function; `on_both_stores!` makes two tests of it. Run with `scripts/with-postgres`.

#[macro_use]
mod fixture;

mod activity;
mod applications;
mod attempts;
mod audit;
mod bulk;
mod changes;
mod changing;
mod cleaning;
mod coverage;
mod ending;
mod failures;
mod idempotency;
mod keys;
mod lifecycle;
mod limits;
mod listing;
mod migrations;
mod one_time_links;
mod opening;
mod plans;
mod reading;
mod reauthentication;
mod refreshing;
mod schema;
mod searching;
mod secrets;
mod statistics;
mod together;
mod upgrades;
mod users;
