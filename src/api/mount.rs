//! A family as the server mounts it.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use utoipa::openapi::OpenApi;

use super::app::App;
use super::failure::Rejection;
use super::family::Family;
use super::guard::refused_below;
use crate::sessions::Rights;

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
    /// Scopes of the family's own that give rights here.
    pub(super) rights: Option<&'static Rights>,
}

impl Mount {
    /// A family with these routes and this document, and no scopes of its own.
    pub(super) const fn new<F: Family>(routes: fn(&Arc<App>) -> Router<Arc<App>>, document: fn() -> OpenApi) -> Self {
        Self { name: F::NAME, routes, document, refuse: refused_below::<F>, rights: None }
    }
}
