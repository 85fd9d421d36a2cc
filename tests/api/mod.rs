//! One file an endpoint, where its path says.

mod access;
mod account;
mod blackbox;
mod console;
mod cookies;
mod cors;
mod cross_family;
mod cumulonimbus;
mod freshness;
mod gateways;
mod janssen;
mod limits;
mod native;
mod quiika;
mod recent;
mod unknown;
mod vault;
