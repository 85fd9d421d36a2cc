//! The settings of the listener.

use std::time::Duration;

use chrono::TimeDelta;

use super::{SettingError, Source};

/// File descriptors that are kept for everything but clients: databases, files, the listener itself.
const OTHER_FILES: u64 = 100;
/// The most connections when nothing is set, however many files the system allows.
const MOST_BY_DEFAULT: u64 = 10_000;

/// How connections are taken, and how the server stops.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// How long requests are served after the signal to stop, before the port is closed.
    pub drain_delay: Duration,
    /// The most connections of clients at once.
    pub most_connections: usize,
}

impl ServerConfig {
    /// Reads and checks them.
    pub fn read(source: &Source) -> Result<Self, SettingError> {
        let delay = source.duration("SOJOURN_DRAIN_DELAY", TimeDelta::zero(), Some(TimeDelta::minutes(5)))?;
        let number = |text: &str| text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
        let most = source.parse("SOJOURN_MAX_CONNECTIONS", "a number from 1 to 1000000", number)?;
        Ok(Self {
            drain_delay: delay.and_then(|delay| delay.to_std().ok()).unwrap_or(Duration::from_secs(3)),
            most_connections: most.unwrap_or_else(most_by_default),
        })
    }
}

/// What the system's limit of open files leaves for clients. The limit is raised as far as an ordinary process may.
fn most_by_default() -> usize {
    let files = rlimit::increase_nofile_limit(MOST_BY_DEFAULT + OTHER_FILES).unwrap_or(1024);
    let most = files.saturating_sub(OTHER_FILES).max(files / 2).min(MOST_BY_DEFAULT);
    usize::try_from(most).unwrap_or(usize::MAX).max(1)
}
