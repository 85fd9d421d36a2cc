//! The router of all families.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, Method, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::app::App;
use super::endings::is_check;
use super::registry::FAMILIES;
use super::{operations, request_log, unknown_path};
use crate::config::HttpConfig;

/// The router with all routes and guards.
pub fn router(app: Arc<App>) -> Router {
    let families = FAMILIES.iter().fold(Router::new(), |router, family| router.merge((family.routes)(&app)));
    let metrics = if app.http.metrics_listen.is_none() { operations::metrics_router() } else { Router::new() };
    let router = families
        .merge(operations::router())
        .merge(metrics)
        .fallback(unknown_path::unknown_path)
        .with_state(Arc::clone(&app));
    let router = if app.http.cors_origins.is_empty() {
        router
    } else {
        router.layer(cors(&app.http)).layer(middleware::from_fn(no_preflight_of_checks))
    };
    let router = router.layer(middleware::from_fn(unknown_path::require_host));
    router.layer(middleware::from_fn_with_state(app, request_log::log_requests))
}

/// The router at the metrics' own address.
pub fn metrics_router(app: Arc<App>) -> Router {
    operations::metrics_router().with_state(app)
}

/// Hands a gateway's check by OPTIONS on as GET. The layer of CORS answers each OPTIONS itself, as a preflight: a gateway
/// would take that answer for a passed check.
async fn no_preflight_of_checks(mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS && is_check(request.uri().path()) {
        *request.method_mut() = Method::GET;
    }
    next.run(request).await
}

fn cors(http: &HttpConfig) -> CorsLayer {
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
