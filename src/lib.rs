//! Sojourn, a session server: it opens sessions, hands out tokens, tells whether a token still stands, and ends sessions.
//!
//! # The map
//!
//! | room | what lives there |
//! |---|---|
//! | [`model`] | the nouns: session, user, device, scope, filter, bulk ending, change, counts. Plain data, no rules |
//! | [`tokens`] | minting tokens, and telling our own from everything else |
//! | [`store`] | the contract of a store, a trait for each subject, and its two implementations: PostgreSQL and SQLite |
//! | [`sessions`] | the core: the rules of sessions. No HTTP, no SQL, no JSON |
//! | [`api`] | one folder a family of wire formats: routes, handlers, wire types, errors |
//! | [`tasks`] | periodic work: last-seen times are written, signing keys rotate, statistics are counted, old rows are deleted |
//! | [`clock`] | time and randomness: the only room that asks the machine for either |
//! | [`config`] | every setting: its name, its default, its check |
//! | [`commands`] | the command line |
//! | [`setup`] | puts the core together from the settings |
//! | [`server`] | the listener, and the orderly stop |
//! | [`telemetry`] | the set-up of the log |
//! | [`error_chain`] | errors with their causes, for the log |
//! | [`metrics`] | counters and gauges |
//! | [`failpoints`] | deliberate defects that the fault tests must find; none in a release build |
//!
//! # The rules
//!
//! 1. Dependencies point inward: `api` → `sessions` → `store::contract` → `tokens` → `model`. Tokens and stores know the
//!    nouns and not the rules, and no file imports itself in a circle. `tests/layout.rs` follows the imports.
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
