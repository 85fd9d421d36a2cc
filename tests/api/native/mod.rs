//! The native API.

mod change;
mod cookie;
mod end;
mod errors;
mod extend;
mod get;
mod idle;
mod introspect;
mod key_set;
mod me;
mod open;
mod open_again;
mod outage;
mod refresh;
mod replicas;
mod revoke;
mod revoke_many;
mod search;
mod statistics;
mod users;
mod verify;
