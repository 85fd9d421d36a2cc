//! One file an endpoint, where its path says.

mod blackbox;
mod cross_family;
mod cumulonimbus;
mod janssen;
mod native;
mod quiika;
mod vault;
