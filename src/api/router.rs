//! The router of all families.

use std::sync::Arc;

use axum::{Extension, Router, middleware};

use super::app::App;
use super::console_cookie::AtConsoleAddress;
use super::cors::with_cors;
use super::registry::FAMILIES;
use super::{native, operations, request_log, unknown_path};

/// The router with all routes and guards. `pages`: those of the rooms that are pages for people.
pub fn router(app: Arc<App>, pages: Router<Arc<App>>) -> Router {
    let families = FAMILIES.iter().fold(Router::new(), |router, family| router.merge((family.routes)(&app)));
    let metrics = if app.http.metrics_listen.is_none() { operations::metrics_router() } else { Router::new() };
    let router = families
        .merge(pages)
        .merge(operations::router())
        .merge(metrics)
        .fallback(unknown_path::unknown_path)
        .with_state(Arc::clone(&app));
    let router = with_cors(router, &app.http).layer(middleware::from_fn(unknown_path::require_host));
    router.layer(middleware::from_fn_with_state(app, request_log::log_requests))
}

/// The router at the console's own address, with the API that its `pages` call.
pub fn console_router(app: Arc<App>, pages: Router<Arc<App>>) -> Router {
    let router = (native::MOUNT.routes)(&app).merge(pages).merge(operations::health_router());
    let router = router.fallback(unknown_path::unknown_path).with_state(Arc::clone(&app));
    let router = router.layer((middleware::from_fn(unknown_path::require_host), Extension(AtConsoleAddress)));
    router.layer(middleware::from_fn_with_state(app, request_log::log_requests))
}

/// The router at the metrics' own address.
pub fn metrics_router(app: Arc<App>) -> Router {
    operations::metrics_router().with_state(app)
}
