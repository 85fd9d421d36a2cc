//! The operator's view: the stop, connections to the server and to the database, health, metrics.

mod abandoned;
mod connections;
mod console;
mod crowding;
mod framing;
mod guides;
mod health;
mod issuer;
mod log;
mod memory;
mod metrics;
mod overload;
mod pgbouncer;
mod plans;
mod postgres_connections;
mod read_replica;
mod reference;
mod restore;
mod secrets;
mod settings;
mod stopping;
