//! Sojourn, a session server: it opens sessions, issues tokens, tells whether a token is valid, and ends sessions.
//!
//! # The map
//!
//! | room | contents |
//! |---|---|
//! | [`model`] | the words: plain data such as sessions, users, filters and changes, without rules |
//! | [`tokens`] | minting and verifying tokens, signing keys, the master secret |
//! | [`store`] | the contract of a store (`store::contract`), and its two implementations: PostgreSQL and SQLite |
//! | [`sessions`] | the core: every rule about sessions, users and service keys. No HTTP, no SQL, no JSON |
//! | [`api`] | one folder for each family of wire formats: routes, handlers, wire types, errors |
//! | `console` | the console for staff: its page with the files in `assets`, its sign-in |
//! | [`account`] | the page at which users see and end their own sessions: routes, texts, look |
//! | [`pages`] | which of these two pages is at which address |
//! | [`tasks`] | background work: reading the change log, writing last-seen times, rotating keys, counting, deleting |
//! | [`clock`] | time and randomness: the only room that asks the machine for either |
//! | [`config`] | every setting: its name, its default, its check |
//! | [`commands`] | the command line |
//! | [`setup`] | the assembly of the core from the settings |
//! | [`server`] | the listener, limits on connections, and the orderly stop |
//! | [`telemetry`] | the set-up of the log |
//! | [`error_chain`] | errors with their causes, for the log |
//! | [`metrics`] | every metric, and its recording |
//! | [`geoip`] | the places of addresses, from MMDB files |
//! | [`failpoints`] | deliberate defects that the fault tests must find; none in a release build |
//!
//! # The rules
//!
//! 1. Words are apart from deeds: `model` knows no rules; `tokens` and `store` know `model` and not the rules.
//!    `sessions` holds the rules and knows the store by the traits in `store::contract`. `api` translates.
//! 2. Each library has its room: sqlx is known to `store` alone, axum neither to `store` nor to `sessions`.
//! 3. No file imports itself in a circle. `tests/layout.rs` follows the imports and checks these three rules.
//! 4. A rule about sessions is written once, in `sessions`. A family translates, renames, reshapes; it does not decide.
//! 5. Time and randomness come through [`clock`], in whole microseconds. SQL asks for the time in one place alone: where
//!    replicas agree on it.
//! 6. No finder without its owner: a look-up of somebody's session takes the owner as an argument of the query.

pub mod account;
pub mod api;
pub mod clock;
pub mod commands;
pub mod config;
mod console;
pub mod error_chain;
pub mod failpoints;
pub mod geoip;
pub mod metrics;
pub mod model;
pub mod pages;
pub mod server;
pub mod sessions;
pub mod setup;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod tokens;
