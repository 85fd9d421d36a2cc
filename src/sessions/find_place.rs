//! The source of places, as the core sees it.

use std::net::IpAddr;

use crate::model::Place;

/// A source of places.
pub trait FindPlace: Send + Sync {
    /// The place of an address; `None`: unknown.
    fn find(&self, address: IpAddr) -> Option<Place>;
}
