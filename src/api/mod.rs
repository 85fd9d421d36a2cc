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
mod family;
pub mod forwarding;
pub mod janssen;
mod json;
pub mod limits;
pub mod native;
mod openapi;
mod operations;
pub mod quiika;
mod timestamp;
pub mod vault;
mod wording;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

pub use endings::Reserved;
pub(crate) use family::FamilyName;
pub use family::{Failure, Family, Refused, Rejection};
pub use openapi::{FAMILIES, document, family_document};

use crate::config::HttpConfig;
use crate::sessions::{LONGEST_WAIT, Sessions};
use crate::telemetry;
use crate::users::DnTemplate;

/// What every handler can reach.
pub struct App {
    /// The core.
    pub sessions: Arc<Sessions>,
    /// Where request ids come from.
    pub request_ids: telemetry::RequestIds,
    /// The name of the cookie that may carry a session token.
    pub cookie: Option<String>,
    /// What users are called in the Janssen API.
    pub janssen_user_dn: DnTemplate,
    /// How many requests one caller may make.
    pub limits: limits::RateLimits,
    /// Turns true when the server is about to stop: it is not ready any more.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// All routes, ready to serve.
pub fn router(app: Arc<App>, http: &HttpConfig) -> Router {
    let (native, native_document) = native::router().split_for_parts();
    let (live, live_document) = native::live_router().split_for_parts();
    let (oauth, oauth_document) = native::oauth::router().split_for_parts();
    let (quiika, quiika_document) = quiika::router().split_for_parts();
    let (blackbox, blackbox_document) = blackbox::router().split_for_parts();
    let (cumulonimbus, cumulonimbus_document) = cumulonimbus::at_both_places().split_for_parts();
    let (janssen, janssen_document) = janssen::router().split_for_parts();
    let (vault, vault_document) = vault::router().split_for_parts();
    let router = Router::new()
        .merge(family::guard::<native::Native>(native::as_gateways_ask(native), &native_document, &app))
        .merge(family::guard_waiting::<native::Native>(live, &live_document, &app, LONGEST_WAIT))
        .merge(family::guard::<native::oauth::OAuth>(native::oauth::metadata_of_path(oauth), &oauth_document, &app))
        .merge(family::guard::<quiika::Quiika>(quiika, &quiika_document, &app))
        .merge(family::guard::<vault::Vault>(vault, &vault_document, &app))
        .merge(family::guard::<blackbox::Blackbox>(blackbox, &blackbox_document, &app))
        .merge(family::guard::<cumulonimbus::Cumulonimbus>(cumulonimbus, &cumulonimbus_document, &app))
        .merge(family::guard::<janssen::Janssen>(janssen, &janssen_document, &app))
        .merge(operations::router())
        .merge(if http.metrics_listen.is_none() { operations::metrics_router() } else { Router::new() })
        .fallback(addressing::unknown_path)
        .with_state(Arc::clone(&app));
    let router = if http.cors_origins.is_empty() { router } else { router.layer(cors(http)) };
    let router = router.layer(middleware::from_fn(addressing::require_host));
    router.layer(middleware::from_fn_with_state(app, telemetry::log_requests))
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
            telemetry::REQUEST_ID,
        ])
}
