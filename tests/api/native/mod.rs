//! The native API.

mod change;
mod cookie;
mod end;
mod errors;
mod events;
mod extend;
mod get;
mod idle;
mod introspect;
mod key_set;
mod me;
mod offline;
mod open;
mod open_again;
mod outage;
mod refresh;
mod replaced_database;
mod replicas;
mod revocations;
mod revoke;
mod revoke_many;
mod search;
mod statistics;
mod users;
mod verify;
mod watch;
