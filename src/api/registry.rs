//! The list of families. To delete a family, delete its folder, its line here and its `mod` line.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use utoipa::openapi::OpenApi;

use super::guard::refused_below;
use super::{App, Family, Rejection};
use crate::sessions::Rights;

/// The families.
pub const FAMILIES: &[Mount] = &[
    super::native::MOUNT,
    super::quiika::MOUNT,
    super::vault::MOUNT,
    super::blackbox::MOUNT,
    super::cumulonimbus::MOUNT,
    super::janssen::MOUNT,
];

/// A family as the server mounts it.
#[derive(Debug, Clone, Copy)]
pub struct Mount {
    /// The name of its folder and of its document.
    pub name: &'static str,
    /// The routes behind their guards.
    pub(super) routes: fn(&Arc<App>) -> Router<Arc<App>>,
    /// The OpenAPI document.
    pub document: fn() -> OpenApi,
    /// The answer to a request that no route matches; `None` where the path is not below the family's prefixes.
    pub(super) refuse: fn(&str, &Rejection) -> Option<Response>,
    /// Whether a POST to this path does nothing but end sessions.
    pub(super) is_ending: fn(&str) -> bool,
    /// Scopes of the family's own that give rights here.
    pub(super) rights: Option<&'static Rights>,
}

impl Mount {
    /// A family with these routes and this document, whose POSTs do more than end sessions and whose scopes are the
    /// core's.
    pub(super) const fn new<F: Family>(routes: fn(&Arc<App>) -> Router<Arc<App>>, document: fn() -> OpenApi) -> Self {
        Self { name: F::NAME, routes, document, refuse: refused_below::<F>, is_ending: |_| false, rights: None }
    }
}

/// The scopes of all families that give rights here, besides the core's own.
pub fn rights() -> Vec<&'static Rights> {
    FAMILIES.iter().filter_map(|family| family.rights).collect()
}
