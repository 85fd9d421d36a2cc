//! The announcement of operations to the metrics, where their series begin at 0 before the first request.

use utoipa::openapi::OpenApi;

use super::documented::operations;
use super::family::Family;
use crate::metrics::{self, Method, Route};

/// Announces the operations of a family's document.
pub(super) fn announce_document<F: Family>(document: &OpenApi) {
    for (path, item) in &document.paths.paths {
        for (method, _) in operations(item) {
            metrics::announce_operation(Route { family: F::NAME, path }, Method::parse(method.as_str()));
        }
    }
}

/// Announces an operation of a family that no document has.
pub(super) fn announce<F: Family>(path: &str, method: Method) {
    metrics::announce_operation(Route { family: F::NAME, path }, method);
}

/// Announces a page of no family.
pub(super) fn announce_page(path: &str) {
    metrics::announce_operation(Route { family: Route::NO_FAMILY, path }, Method::Get);
}

/// Announces a redirection to a page of no family.
pub(super) fn announce_redirection(path: &str) {
    metrics::announce_redirection(Route { family: Route::NO_FAMILY, path }, Method::Get);
}
