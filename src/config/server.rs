//! The settings of the listener.

use std::time::Duration;

use ipnet::IpNet;

use super::settings;
use super::source::{SettingError, Source};
use crate::sessions::StreamLimits;

/// File descriptors reserved for everything but clients: databases, files, the listener itself.
const OTHER_FILES: u64 = 100;
/// The maximum number of connections by default, however many files the system allows.
const DEFAULT_MAX_CONNECTIONS: u64 = 10_000;

/// The limits on connections, and the delay of a stop.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The time for which requests are still served after the signal to stop, before the port is closed.
    pub drain_delay: Duration,
    /// The maximum number of client connections.
    pub most_connections: usize,
    /// The maximum from one address that is no trusted proxy; an IPv6 network of 64 bits counts as one address.
    pub most_connections_of_address: usize,
    /// The proxies that forward requests of many clients.
    pub trusted_proxies: Vec<IpNet>,
}

impl ServerConfig {
    /// Reads and checks the settings.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let delay = source.get(&settings::DRAIN_DELAY)?.to_std().unwrap_or_default();
        let most = source.find(&settings::MAX_CONNECTIONS)?;
        let of_address = source.find(&settings::CONNECTIONS_PER_ADDRESS)?;
        let defaults = Self::new(delay, most.unwrap_or_else(default_max_connections));
        let most_connections_of_address = of_address.unwrap_or(defaults.most_connections_of_address);
        Ok(Self { most_connections_of_address, ..defaults })
    }

    /// The limit `most_connections`, half of which may come from one address.
    pub fn new(drain_delay: Duration, most_connections: usize) -> Self {
        let most_connections_of_address = (most_connections / 2).max(1);
        Self { drain_delay, most_connections, most_connections_of_address, trusted_proxies: Vec::new() }
    }

    /// Adds proxies that may have any number of connections.
    #[must_use]
    pub fn trusting(self, trusted_proxies: Vec<IpNet>) -> Self {
        Self { trusted_proxies, ..self }
    }

    /// Caps streams at half of the connections, because other requests need connections too.
    pub fn room_for(&self, limits: StreamLimits) -> StreamLimits {
        let half = u32::try_from(self.most_connections / 2).unwrap_or(u32::MAX);
        StreamLimits { most: limits.most.min(half), ..limits }
    }
}

/// The connections that the limit on open files leaves for clients. Raises that limit as far as an unprivileged process
/// may.
fn default_max_connections() -> usize {
    let files = rlimit::increase_nofile_limit(DEFAULT_MAX_CONNECTIONS + OTHER_FILES).unwrap_or(1024);
    let most = files.saturating_sub(OTHER_FILES).max(files / 2).min(DEFAULT_MAX_CONNECTIONS);
    usize::try_from(most).unwrap_or(usize::MAX).max(1)
}
