//! The announcement of operations to the metrics, where their series begin at 0 before the first request.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;
use utoipa::openapi::OpenApi;

use super::app::App;
use super::documented::operations;
use super::family::Family;
use crate::metrics::{self, Method, Route};

/// Announces the operations of a family's document.
pub(super) fn announce_document<F: Family>(document: &OpenApi) {
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            let (route, method) = (Route { family: F::NAME, path }, Method::parse(method.as_str()));
            if operation.responses.responses.keys().any(|status| status.starts_with('3')) {
                metrics::announce_redirection(route, method);
            } else {
                metrics::announce_operation(route, method);
            }
        }
    }
}

/// Adds a route that a family has and its document has not.
pub(crate) fn with_route<F: Family>(
    router: Router<Arc<App>>,
    path: &str,
    route: MethodRouter<Arc<App>>,
) -> Router<Arc<App>> {
    announce::<F>(path, Method::Get);
    router.route(path, route)
}

/// As [`with_route`], for a route that redirects.
pub(crate) fn with_redirect<F: Family>(
    router: Router<Arc<App>>,
    path: &str,
    route: MethodRouter<Arc<App>>,
) -> Router<Arc<App>> {
    metrics::announce_redirection(Route { family: F::NAME, path }, Method::Get);
    router.route(path, route)
}

/// As [`with_route`], for a form that is posted and redirects.
pub(crate) fn with_form<F: Family>(
    router: Router<Arc<App>>,
    path: &str,
    route: MethodRouter<Arc<App>>,
) -> Router<Arc<App>> {
    metrics::announce_redirection(Route { family: F::NAME, path }, Method::Post);
    router.route(path, route)
}

/// As [`with_route`], for a route that takes any method.
pub(super) fn with_route_of_any_method<F: Family>(
    router: Router<Arc<App>>,
    path: &str,
    route: MethodRouter<Arc<App>>,
) -> Router<Arc<App>> {
    announce::<F>(path, Method::Other);
    with_route::<F>(router, path, route)
}

fn announce<F: Family>(path: &str, method: Method) {
    metrics::announce_operation(Route { family: F::NAME, path }, method);
}

/// Adds a page of no family.
pub(super) fn with_page(router: Router<Arc<App>>, path: &str, page: MethodRouter<Arc<App>>) -> Router<Arc<App>> {
    announce_page(path);
    router.route(path, page)
}

/// Announces a page of no family.
pub(crate) fn announce_page(path: &str) {
    announce_page_with(path, Method::Get);
}

/// Announces a page of no family that is asked for with another method.
pub(crate) fn announce_page_with(path: &str, method: Method) {
    metrics::announce_operation(Route { family: Route::NO_FAMILY, path }, method);
}

/// Announces a page of no family that redirects.
pub(super) fn announce_redirection(path: &str) {
    metrics::announce_redirection(Route { family: Route::NO_FAMILY, path }, Method::Get);
}
