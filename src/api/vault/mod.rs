//! Vault, `/api/v1/users/me/sessions*`: the sessions of the signed-in user, as the FantasticAuth SDK (typescript-fetch)
//! calls them.
//!
//! Known quirks
//! * The list is a bare array; an object would make the SDK throw. A `DELETE` answers 200 with a message, never 204.
//! * `DELETE` on the collection ends the caller's own session too.
//! * `deviceInfo` is null unless the kind of device has a word here; `os` and `browser` are then `Unknown` rather than
//!   missing, because both are required.
//! * The tenant headers that the original knows (`X-Tenant-ID`, `X-Tenant-Slug`) are ignored.
//! * The family's own document has its paths below the server's `/api/v1`, as the original's has.

mod error;
mod handlers;
mod wire;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Vault;

use super::App;

/// The family's routes and their document.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_sessions, handlers::logout_all_sessions))
        .routes(routes!(handlers::revoke_session))
}
