//! Cumulonimbus, `/api/user/{id}/session*`: one user's sessions in the hands of staff or of the user itself, as the
//! administration API v3.4 documents them. `/api/user/session*`: the user's own sessions, as the wrapper (javascript,
//! version 1) calls them. The same below `/user`.
//!
//! Known quirks
//! * `Authorization` holds the token alone, without `Bearer`; with it is accepted too, and so is the session cookie.
//! * In the original a session's `iat` is its id. Here `{sid}` and the entries of a bulk are our id or an `iat`. For an
//!   `iat` that two sessions share, 409 names their ids, and a bulk skips it.
//! * A banned caller gets 403. The permission is checked before the user, the user before the session.
//! * `limit` and `offset` are never errors: anything but a number in range counts as 50 and 0.
//! * A bulk takes a JSON or a form-encoded body. Unknown entries are skipped, but count towards the limit of 50.
//! * 401 and 404 have one code for a session, `INVALID_SESSION_ERROR`.
//! * The wrapper gets the deleted session back; the original answered a word of success.
//! * `/user/session/sessions` is the user's own session `sessions`, which never exists. The list of a user whose id is
//!   `session` is at `/user/%73ession/sessions`.

mod error;
mod handlers;
mod wire;

use std::sync::Arc;

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Cumulonimbus;

use super::app::App;
use super::description::Description;
use super::guard::guard;
use super::mount::Mount;

/// The family as the server mounts it.
pub(super) const MOUNT: Mount =
    Mount::new::<Cumulonimbus>(|app| guard::<Cumulonimbus>(at_both_places(), app), document);

fn document() -> OpenApi {
    let description = Description {
        title: "Sojourn: Cumulonimbus",
        about: "The session endpoints of the Cumulonimbus administration API. The token is sent as it is, without a scheme.",
        server: "https://alekeagle.me/api",
        security: ("token", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("Authorization")))),
    };
    description.of_secured(router().into_openapi())
}

/// The routes as the original's examples call them, in the document and here.
fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api", routes())
}

/// The same routes, and those at the paths that the original's document writes.
fn at_both_places() -> OpenApiRouter<Arc<App>> {
    router().merge(routes())
}

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_sessions, handlers::delete_sessions))
        .routes(routes!(handlers::delete_all_sessions))
        .routes(routes!(handlers::get_session, handlers::delete_session))
        .routes(routes!(handlers::get_current_session))
        .routes(routes!(handlers::list_own_sessions, handlers::delete_own_sessions))
        .routes(routes!(handlers::delete_all_own_sessions))
        .routes(routes!(handlers::get_own_session, handlers::delete_own_session))
}
