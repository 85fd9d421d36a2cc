//! The state of the HTTP side.

use std::sync::Arc;

use tokio::sync::watch;

use super::forwarding::Forwarding;
use super::limits::RateLimits;
use super::request_ids::RequestIds;
use crate::clock::{Entropy, EntropyUnavailable};
use crate::config::{HttpConfig, ShownSetting};
use crate::sessions::{Sessions, Surroundings};

/// The state of every handler.
pub struct App {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// The source of request ids.
    pub request_ids: RequestIds,
    /// The settings of the HTTP side.
    pub http: HttpConfig,
    /// The source of clients' addresses.
    pub forwarding: Forwarding,
    /// The rate limits by caller.
    pub limits: RateLimits,
    /// Turns true when the server is about to stop and not ready any more.
    pub stopping: watch::Receiver<bool>,
    /// Whether the issuer is a default that does not lead to this server.
    pub has_default_issuer: bool,
    /// The settings as operators may see them.
    pub settings: Vec<ShownSetting>,
}

impl App {
    /// The state for these settings. It needs `entropy` once, for the beginning of its request ids.
    pub fn new(
        sessions: Arc<Sessions>,
        http: HttpConfig,
        entropy: &dyn Entropy,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, EntropyUnavailable> {
        let forwarding = Forwarding::new(http.forwarding_header.clone(), http.trusted_proxies.clone());
        let limits = RateLimits::new(http.rate_limit, forwarding.clone());
        let request_ids = RequestIds::new(entropy)?;
        Ok(Self {
            sessions,
            request_ids,
            http,
            forwarding,
            limits,
            stopping,
            has_default_issuer: false,
            settings: Vec::new(),
        })
    }

    /// The facts about this process that are part of its state.
    pub fn surroundings(&self) -> Surroundings {
        Surroundings { is_stopping: *self.stopping.borrow(), has_default_issuer: self.has_default_issuer }
    }
}
