//! The state of the HTTP side.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use tokio::sync::watch;

use super::forwarding::Forwarding;
use super::limits::RateLimits;
use super::request_ids::RequestIds;
use super::sign_in_failures::SignInFailures;
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
    /// The failed sign-ins to the console.
    pub sign_in_failures: SignInFailures,
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
        let (request_ids, sign_in_failures) = (RequestIds::new(entropy)?, SignInFailures::default());
        Ok(Self {
            sessions,
            request_ids,
            http,
            forwarding,
            limits,
            sign_in_failures,
            stopping,
            has_default_issuer: false,
            settings: Vec::new(),
        })
    }

    /// The address that a request came from, as far as addresses are stored: the log and the audit trail have no more.
    pub(super) fn kept_address(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let address = self.forwarding.client_address(headers, extensions)?;
        self.sessions.policy().ip_storage.keep(address)
    }

    /// The facts about this process that are part of its state.
    pub fn surroundings(&self) -> Surroundings {
        Surroundings { is_stopping: *self.stopping.borrow(), has_default_issuer: self.has_default_issuer }
    }
}
