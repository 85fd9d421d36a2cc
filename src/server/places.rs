//! Limits on connections, in all and from one address, and the choice of the connection that is closed for another.
//!
//! A connection that waits for its client is worth less than a new one, because waiting costs a client nothing. So a
//! new connection without a free place gets that of the connection that has kept the server waiting longest, and
//! half-sent requests keep nobody out, however many they are. Connections that are answering are never closed for
//! another. When they leave only the last places, these serve only the requests that [`Reserved`](crate::api::Reserved)
//! allows.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::Notify;

use super::patience::{Progress, Waiting};
use crate::config::ServerConfig;
use crate::metrics::{self, ClosedFor};

/// One in this many places is reserved.
const SHARE_KEPT: usize = 10;
/// One in this many places is freed at once, because a search through all connections takes time.
const SHARE_CLOSED: usize = 16;

/// All connections of a listener.
pub(super) struct Places {
    most: usize,
    most_of_address: usize,
    trusted_proxies: Vec<IpNet>,
    open: Mutex<Open>,
    count: AtomicUsize,
    /// Notified when a place becomes free.
    left: Notify,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connection>,
    of_address: HashMap<IpAddr, usize>,
}

struct Connection {
    progress: Progress,
    /// The address that the connection counts for; `None` for a trusted proxy, which forwards requests of many clients.
    address: Option<IpAddr>,
}

/// The place of one connection, free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    /// Whether it is one of the last places, which are reserved.
    pub(super) is_reserved: bool,
}

/// The answer to a connection that wants a place.
pub(super) enum Admission {
    /// A place.
    Place(Place),
    /// No place: all are taken by connections that are answering.
    Full,
    /// No place: the address has its maximum, and all of its connections are answering.
    Refused,
}

impl Places {
    pub(super) fn new(config: &ServerConfig) -> Arc<Self> {
        Arc::new(Self {
            most: config.most_connections,
            most_of_address: config.most_connections_of_address,
            trusted_proxies: config.trusted_proxies.clone(),
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            left: Notify::new(),
        })
    }

    /// A place for a connection from `peer`, if need be that of another connection.
    pub(super) fn admit(self: &Arc<Self>, peer: SocketAddr, progress: &Progress) -> Admission {
        let address = self.counted_address(peer.ip().to_canonical());
        let mut open = self.open();
        if let Some(address) = address {
            let is_own = |connection: &Connection| connection.address == Some(address);
            if open.of_address.get(&address).is_some_and(|count| *count >= self.most_of_address)
                && !open.make_room(self.most_of_address / SHARE_CLOSED + 1, ClosedFor::SameAddress, is_own)
            {
                return Admission::Refused;
            }
        }
        let ordinary = self.most - self.most / SHARE_KEPT;
        if open.connections.len() >= ordinary
            && !open.make_room(self.most / SHARE_CLOSED + 1, ClosedFor::Newcomer, |_| true)
            && open.connections.len() >= self.most
        {
            return Admission::Full;
        }
        let is_reserved = open.connections.len() >= ordinary;
        let number = open.add(Connection { progress: progress.clone(), address });
        self.count.store(open.connections.len(), Ordering::Relaxed);
        Admission::Place(Place { places: Arc::clone(self), number, is_reserved })
    }

    /// Returns when a place has become free since the last call.
    pub(super) async fn left(&self) {
        self.left.notified().await;
    }

    /// Whether so few places are free that connections close after their answer.
    pub(super) fn are_few(&self) -> bool {
        self.most - self.count.load(Ordering::Relaxed).min(self.most) < self.most / 4
    }

    fn counted_address(&self, address: IpAddr) -> Option<IpAddr> {
        if self.trusted_proxies.iter().any(|network| network.contains(&address)) {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            // One household has 2^64 addresses.
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn add(&mut self, connection: Connection) -> u64 {
        let number = self.next;
        self.next += 1;
        if let Some(address) = connection.address {
            *self.of_address.entry(address).or_default() += 1;
        }
        self.connections.insert(number, connection);
        number
    }

    fn remove(&mut self, number: u64) {
        let Some(Connection { address: Some(address), .. }) = self.connections.remove(&number) else { return };
        if let Some(count) = self.of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
    }

    /// Closes up to `most` of the connections that `may_go`: unfinished requests before idle connections, and those
    /// that have waited longest first. Returns whether any was closed.
    fn make_room(&mut self, most: usize, cause: ClosedFor, may_go: impl Fn(&Connection) -> bool) -> bool {
        let waiting = self.connections.iter().filter(|(_, connection)| may_go(connection));
        let waiting = waiting.filter_map(|(number, connection)| Some((connection.progress.waiting()?, *number)));
        let mut waiting: Vec<(Waiting, u64)> = waiting.collect();
        waiting.sort_unstable();
        waiting.truncate(most);
        let mut closed = 0;
        for (_, number) in waiting {
            if self.connections.get(&number).is_some_and(|connection| connection.progress.give_up()) {
                self.remove(number);
                closed += 1;
            }
        }
        metrics::connections_closed(closed, cause);
        closed > 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        open.remove(self.number);
        self.places.count.store(open.connections.len(), Ordering::Relaxed);
        drop(open);
        self.places.left.notify_one();
    }
}

#[cfg(test)]
mod tests;
