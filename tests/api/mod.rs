//! One file an endpoint, where its path says.

mod blackbox;
mod cumulonimbus;
mod native;
mod quiika;
mod vault;
