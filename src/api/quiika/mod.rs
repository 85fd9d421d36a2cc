//! Quiika, `/auth/sessions*`: the sessions of the signed-in user, as its app SDK (typescript-axios) calls them.
//!
//! Known quirks
//! * `DELETE /auth/sessions` takes the token with or without `Bearer`: the SDK sends what its caller passed.
//! * Both lists are the same: a bare array, the most recently used session first. `count` is its length.
//! * Success without a body is 200, not 204. Errors of these operations have bodies that the document leaves out: with
//!   them described, the SDK's document would say that they answer JSON.
//! * Every property may be missing and none is ever null. A session of an unknown device has no `deviceType`.
//! * `active`, `count` and `all` are paths, never ids. There is no cookie here.

mod error;
mod handlers;
mod wire;

use std::sync::Arc;

use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Quiika;

use super::app::App;
use super::description::{Description, LOCALHOST, bearer};
use super::guard::guard;
use super::mount::Mount;

/// The family as the server mounts it.
pub(super) const MOUNT: Mount = Mount::new::<Quiika>(|app| guard::<Quiika>(router(), app), document);

fn document() -> OpenApi {
    let description = Description {
        title: "Sojourn: Quiika",
        about: "The session management API of the Quiika app SDK. Every error has the body `ErrorResponse`, also where none is \
                described.",
        server: LOCALHOST,
        security: bearer(),
    };
    description.of_secured(router().into_openapi())
}

fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::get_user_sessions, handlers::revoke_other_sessions))
        .routes(routes!(handlers::get_active_sessions))
        .routes(routes!(handlers::get_session_count))
        .routes(routes!(handlers::revoke_all_sessions))
        .routes(routes!(handlers::revoke_session))
}
