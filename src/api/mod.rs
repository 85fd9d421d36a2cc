//! The HTTP side: one folder a family, and the parts that families share.
//!
//! A family is its paths, its wire types and its errors. It implements [`Family`] and has a line in [`FAMILIES`]; the
//! extractors and the guards here then use its errors in every case, unknown paths and panics included.

mod addressing;
pub mod blackbox;
mod credentials;
pub mod cumulonimbus;
mod documented;
mod endings;
pub mod extract;
mod failure;
mod family;
pub mod forwarding;
mod guard;
pub mod janssen;
mod json;
pub mod limits;
pub mod native;
mod openapi;
mod operations;
pub mod quiika;
mod registry;
pub mod request_log;
mod timestamp;
pub mod vault;
mod wording;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

pub use endings::Reserved;
pub use failure::{Failure, Rejection};
pub use family::{Family, Refused};
pub use openapi::{document, family_document};
pub use registry::{FAMILIES, Mount, rights};

use crate::config::HttpConfig;
use crate::sessions::Sessions;

/// The state of every handler.
pub struct App {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// The source of request ids.
    pub request_ids: request_log::RequestIds,
    /// The settings of the HTTP side.
    pub http: HttpConfig,
    /// The rate limits by caller.
    pub limits: limits::RateLimits,
    /// Turns true when the server is about to stop and not ready any more.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// The router with all routes and guards.
pub fn router(app: Arc<App>) -> Router {
    let families = FAMILIES.iter().fold(Router::new(), |router, family| router.merge((family.routes)(&app)));
    let metrics = if app.http.metrics_listen.is_none() { operations::metrics_router() } else { Router::new() };
    let router = families
        .merge(operations::router())
        .merge(metrics)
        .fallback(addressing::unknown_path)
        .with_state(Arc::clone(&app));
    let router = if app.http.cors_origins.is_empty() { router } else { router.layer(cors(&app.http)) };
    let router = router.layer(middleware::from_fn(addressing::require_host));
    router.layer(middleware::from_fn_with_state(app, request_log::log_requests))
}

/// The router at the metrics' own address.
pub fn metrics_router(app: Arc<App>) -> Router {
    operations::metrics_router().with_state(app)
}

fn cors(http: &HttpConfig) -> CorsLayer {
    use axum::http::{HeaderName, Method, header};
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(http.cors_origins.iter().cloned()))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        // Tracing libraries add headers of their own to every request, and no list of them would be complete.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            request_log::REQUEST_ID,
        ])
}
