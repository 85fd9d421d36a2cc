//! The HTTP side: one folder a family, and what they have in common.
//!
//! A family is its paths, its words and its errors. It implements [`Family`] once; the extractors and the guards here
//! then speak its language in every case, unknown paths and panics included.

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

/// What every handler can reach.
pub struct App {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// Where request ids come from.
    pub request_ids: request_log::RequestIds,
    /// The settings of the HTTP side.
    pub http: HttpConfig,
    /// How many requests one caller may make.
    pub limits: limits::RateLimits,
    /// Turns true when the server is about to stop: it is not ready any more.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// All routes, ready to serve.
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

/// What is at the metrics' own address, when they have one.
pub fn metrics_router(app: Arc<App>) -> Router {
    operations::metrics_router().with_state(app)
}

fn cors(http: &HttpConfig) -> CorsLayer {
    use axum::http::{HeaderName, Method, header};
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(http.cors_origins.iter().cloned()))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        // Libraries for tracing add headers of their own to every request, and nobody knows all of them.
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
