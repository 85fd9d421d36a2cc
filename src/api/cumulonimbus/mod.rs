//! Cumulonimbus, `/api/user/{id}/session*` and the same below `/user`: one user's sessions in the hands of staff or of
//! the user itself, as the administration API v3.4 documents them.
//!
//! Known quirks
//! * The token stands in `Authorization` alone, without `Bearer`; with it is fine too, and so is the session cookie.
//! * In the original a session's `iat` is its id. Here `{sid}` and the entries of a bulk are our id or an `iat`; when two
//!   sessions share the second, 409 names their ids, and a bulk passes over it.
//! * A caller who is banned gets 403; permission comes before the user, the user before the session.
//! * `limit` and `offset` are never wrong: what is no number in range is 50 and 0.
//! * A bulk takes a JSON or a form-encoded body; its unknown entries are passed over, but count to the 50.
//! * 401 and 404 have one code for a session, `INVALID_SESSION_ERROR`.

mod error;
mod handlers;
mod wire;

use std::sync::Arc;

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Cumulonimbus;

use super::guard::guard;
use super::openapi::Description;
use super::{App, Mount};

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
}
