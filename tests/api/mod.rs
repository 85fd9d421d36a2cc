//! One file an endpoint, where its path says.

mod native;
mod quiika;
mod vault;
