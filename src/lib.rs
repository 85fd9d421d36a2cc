//! Sojourn, a session server: it opens sessions, hands out tokens, tells whether a token still stands, and ends sessions.
//!
//! # The map
//!
//! | room | what lives there |
//! |---|---|
//! | [`sessions`] | the core: what a session is, who may do what with it. No HTTP, no SQL, no JSON |
//! | [`users`] | who people are, as far as sessions care |
//! | [`tokens`] | minting tokens, and telling our own from everything else |
//! | [`store`] | the contract of a store, and its two implementations: PostgreSQL and SQLite |
//! | [`api`] | one folder a family of wire formats: routes, handlers, wire types, errors |
//! | [`clock`] | time and randomness: the only room that asks the machine for either |
//! | [`config`] | every setting: its name, its default, its check |
//! | [`commands`] | what the command line can do |
//! | [`setup`] | puts the core together from the settings |
//! | [`server`] | the listener, and the orderly stop |
//! | [`tasks`] | what happens without being asked: last-seen times are written, signing keys rotate, statistics are counted, old rows are deleted |
//! | [`telemetry`] | the log's set-up |
//! | [`error_chain`] | errors with their causes, for the log |
//! | [`metrics`] | what is counted and measured |
//! | [`failpoints`] | deliberate defects that the fault tests must find; none in a release build |
//!
//! # The rules
//!
//! 1. Dependencies point inward: `api` → `sessions` → the trait in `store`. `store/*` knows sqlx, `api/*` knows axum,
//!    the core knows neither. `tests/layout.rs` reads the `use` lines.
//! 2. A rule about sessions is written once, in the core. A family translates, renames, reshapes; it does not decide.
//! 3. Time and randomness come through [`clock`], in whole microseconds. SQL asks for the time in one place alone: where
//!    replicas agree on it.
//! 4. No finder without its owner: a look-up of somebody's session takes the owner as an argument of the query.

pub mod api;
pub mod clock;
pub mod commands;
pub mod config;
pub mod error_chain;
pub mod failpoints;
pub mod metrics;
pub mod model;
pub mod server;
pub mod sessions;
pub mod setup;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod tokens;
