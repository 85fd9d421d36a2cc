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

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Cumulonimbus;

use super::App;

/// The family's routes and their document, as its examples call them.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().nest("/api", routes())
}

/// The same, and at their paths as its document writes them too.
pub(super) fn at_both_places() -> OpenApiRouter<Arc<App>> {
    router().merge(routes())
}

fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_sessions, handlers::delete_sessions))
        .routes(routes!(handlers::delete_all_sessions))
        .routes(routes!(handlers::get_session, handlers::delete_session))
}
