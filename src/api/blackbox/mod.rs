//! Blackbox, `/api/v0/sessions*`: the sessions of the signed-in user, as the Blackbox Labs SDK (Speakeasy, typescript)
//! calls them.
//!
//! Known quirks
//! * Every success is exactly 200 in an envelope, `{"success": true, "data": …, "message": …}`; `data` is left out
//!   where there is none. Its client validates strictly: nothing is null, unknown text is `""`.
//! * `token` is not a credential: it only looks like one, and is derived from the session's id.
//! * An expired session can be read until it is cleaned up; an ended one cannot.
//! * `cleanup` deletes the caller's own expired sessions at once. With `sessions:admin` it deletes everybody's too, but
//!   those only after the retention.
//! * The SDK sends an empty `cookie` header. There is no cookie here.

mod error;
mod handlers;
mod wire;

use std::sync::Arc;

use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Blackbox;

use super::app::App;
use super::description::{Description, LOCALHOST, bearer};
use super::guard::guard;
use super::mount::Mount;

/// The family as the server mounts it.
pub(super) const MOUNT: Mount = Mount::new::<Blackbox>(|app| guard::<Blackbox>(router(), app), document);

fn document() -> OpenApi {
    let description = Description {
        title: "Sojourn: Blackbox",
        about: "The session management API of the Blackbox Labs SDK.",
        server: LOCALHOST,
        security: bearer(),
    };
    description.of_secured(router().into_openapi())
}

fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_sessions))
        .routes(routes!(handlers::cleanup_expired_sessions))
        .routes(routes!(handlers::revoke_all_sessions))
        .routes(routes!(handlers::get_session_stats))
        .routes(routes!(handlers::get_session, handlers::revoke_session))
        .routes(routes!(handlers::extend_session))
}
