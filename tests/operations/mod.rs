//! What operators see: the stop, connections to the server and to the database, health, metrics.

mod connections;
mod health;
mod metrics;
mod overload;
mod pgbouncer;
mod plans;
mod postgres_connections;
mod read_replica;
mod secrets;
mod stopping;
