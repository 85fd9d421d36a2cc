//! The state of the HTTP side.

use std::sync::Arc;

use super::limits;
use super::request_ids;
use crate::config::HttpConfig;
use crate::sessions::Sessions;

/// The state of every handler.
pub struct App {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// The source of request ids.
    pub request_ids: request_ids::RequestIds,
    /// The settings of the HTTP side.
    pub http: HttpConfig,
    /// The rate limits by caller.
    pub limits: limits::RateLimits,
    /// Turns true when the server is about to stop and not ready any more.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}
