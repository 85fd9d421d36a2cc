//! The native API, `/v1/*`: ours to shape, but other programs depend on it.
//!
//! JSON in snake_case, RFC 3339 times in UTC, errors as RFC 9457 problems with a stable `code`. The paths of the OAuth
//! and OpenID standards, `/oauth2/*` and `/.well-known/*`, are in [`oauth`], with those standards' errors.
//!
//! Known quirks
//! * Unknown members of a body and unknown query parameters are refused, so that a misspelt name is not ignored.
//! * Ending an ended session is a success; changing or extending one is a conflict (409).
//! * An unknown user can be banned; the ban applies from then on.

mod client;
mod discovery;
mod error;
mod handlers;
pub mod oauth;
mod oauth_error;
mod responses;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::api) use error::problem;
pub use error::{Native, Problem};

use super::announcements::with_route_of_any_method;
use super::app::App;
use super::description::{BEARER, Description, LOCALHOST, bearer, client_basic, secure};
use super::guard::{guard_router, refused_below};
use super::mount::Mount;
use crate::sessions::MAX_WAIT;
use oauth::OAuth;

/// The family as the server mounts it.
pub(super) const MOUNT: Mount = Mount {
    refuse: |path, rejection| {
        refused_below::<OAuth>(path, rejection).or_else(|| refused_below::<Native>(path, rejection))
    },
    ..Mount::new::<Native>(routes, document)
};

fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    let (router, document) = router().split_for_parts();
    let (live, live_document) = live_router().split_for_parts();
    let (oauth, oauth_document) = oauth::router().split_for_parts();
    Router::new()
        .merge(guard_router::<Native>(as_gateways_ask(router), &document, app, Duration::ZERO))
        .merge(guard_router::<Native>(live, &live_document, app, MAX_WAIT))
        .merge(guard_router::<OAuth>(discovery::metadata_of_path(oauth), &oauth_document, app, Duration::ZERO))
}

fn document() -> OpenApi {
    let mut operations = router().merge(live_router()).into_openapi();
    secure(&mut operations, BEARER);
    let description = Description {
        title: "Sojourn: native API",
        about: "Sessions, users, and the OAuth 2.0 endpoints around them. Errors are RFC 9457 problems, or RFC 6749 \
                errors below /oauth2.",
        server: LOCALHOST,
        security: bearer(),
    };
    let mut document = description.of(operations.merge_from(oauth::router().into_openapi()));
    let (name, scheme) = client_basic();
    document.components.get_or_insert_default().add_security_scheme(name, scheme);
    document
}

fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::sessions::open_session, handlers::sessions::search_sessions))
        .routes(routes!(
            handlers::sessions::get_session,
            handlers::sessions::change_session,
            handlers::sessions::end_session
        ))
        .routes(routes!(handlers::sessions::extend_session))
        .routes(routes!(handlers::sessions::authenticate_session))
        .routes(routes!(handlers::audit::get_timeline))
        .routes(routes!(handlers::sessions::revoke_sessions))
        .routes(routes!(handlers::statistics::get_statistics))
        .routes(routes!(handlers::operation::get_status))
        .routes(routes!(handlers::operation::list_settings))
        .routes(routes!(handlers::cleaning::clean_up))
        .routes(routes!(handlers::audit::read_audit))
        .routes(routes!(handlers::applications::create_application, handlers::applications::list_applications))
        .routes(routes!(
            handlers::applications::get_application,
            handlers::applications::change_application,
            handlers::applications::delete_application
        ))
        .routes(routes!(handlers::keys::create_key, handlers::keys::list_keys))
        .routes(routes!(handlers::keys::get_key, handlers::keys::revoke_key))
        .routes(routes!(handlers::keys::list_signing_keys))
        .routes(routes!(handlers::keys::rotate_signing_keys))
        .routes(routes!(handlers::me::get_me))
        .routes(routes!(handlers::me::list_my_sessions, handlers::me::end_my_sessions))
        .routes(routes!(handlers::cookie::set_session_cookie, handlers::cookie::end_session_by_cookie))
        .routes(routes!(handlers::users::search_users))
        .routes(routes!(handlers::users::get_user, handlers::users::put_user, handlers::users::delete_user))
        .routes(routes!(handlers::users::export_user))
        .routes(routes!(handlers::users::ban_user))
        .routes(routes!(handlers::users::unban_user))
        .routes(routes!(handlers::users::list_user_sessions, handlers::users::end_user_sessions))
        .routes(routes!(handlers::verify::verify))
        .routes(routes!(handlers::verify::require))
}

/// The routes whose answers last as long as their clients wish.
fn live_router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::live::watch_session))
        .routes(routes!(handlers::live::listen))
        .routes(routes!(handlers::live::list_revocations))
}

/// Adds the routes for gateways that check with any method, or append the path of the guarded request. An OpenAPI
/// document cannot express them.
fn as_gateways_ask(router: Router<Arc<App>>) -> Router<Arc<App>> {
    let (verify, require) = (any(handlers::verify::verify), any(handlers::verify::require));
    let checks = [
        ("/v1/verify", verify.clone()),
        ("/v1/verify/", verify.clone()),
        ("/v1/verify/{*path}", verify),
        ("/v1/require/{requirements}", require.clone()),
        ("/v1/require/{requirements}/", require.clone()),
        ("/v1/require/{requirements}/{*path}", require),
    ];
    checks.into_iter().fold(router, |router, (path, route)| with_route_of_any_method::<Native>(router, path, route))
}
