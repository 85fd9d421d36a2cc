//! The places that sessions are opened and used from.

use std::net::IpAddr;

use super::activity::{Origin, Use};
use super::facade::Sessions;
use super::policy::IpStorage;
use crate::model::{Place, Session, Touch, Whereabouts};

impl Sessions {
    /// The place of a whole address. Without stored addresses there are no stored places either.
    pub(super) fn place_of(&self, address: IpAddr) -> Option<Place> {
        if self.policy().ip_storage == IpStorage::Off {
            return None;
        }
        let places = self.parts.places.as_ref()?;
        places.find(address.to_canonical()).filter(|place| !place.is_empty())
    }

    /// The comparison of the address of a use with the stored last address of its session.
    pub(super) fn origin_of(&self, session: &Session, from: Option<IpAddr>) -> Origin {
        let Some(address) = from else { return Origin::Unknown };
        match self.policy().ip_storage.keep(address) {
            None => Origin::Unknown,
            kept if kept == session.last_ip_address() => Origin::Known,
            Some(_) => Origin::New(address),
        }
    }

    /// A use with its place: looked up here, once for each write of a new address.
    pub(super) fn touch_of(&self, used: Use) -> Touch {
        let Use { id, seen_at, counter, address } = used;
        let whereabouts = |address| {
            let ip_address = self.policy().ip_storage.keep(address)?;
            Some(Whereabouts { ip_address, place: self.place_of(address) })
        };
        Touch { id, seen_at, counter, seen_from: address.and_then(whereabouts) }
    }
}
