//! What operators see: the stop, connections, health, metrics.

mod connections;
mod health;
mod metrics;
mod overload;
mod plans;
mod stopping;
