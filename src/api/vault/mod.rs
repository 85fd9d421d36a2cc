//! Vault, `/api/v1/users/me/sessions*`: the sessions of the signed-in user, as the FantasticAuth SDK (typescript-fetch)
//! calls them.
//!
//! Known quirks
//! * The list is a bare array; an object would make the SDK throw. A `DELETE` answers 200 with a message, never 204.
//! * `DELETE` on the collection ends the caller's own session too.
//! * `deviceInfo` is null unless the dialect has a word for the kind of device. `os` and `browser` in it may be
//!   `Unknown` but are never missing, because both are required.
//! * The original's tenant headers (`X-Tenant-ID`, `X-Tenant-Slug`) are ignored.
//! * The paths in the family's own document are relative to the server's `/api/v1`, as in the original's.

mod error;
mod handlers;
mod wire;

use std::sync::Arc;

use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Vault;

use super::app::App;
use super::description::{Description, bearer};
use super::guard::guard;
use super::mount::Mount;

/// The family as the server mounts it.
pub(super) const MOUNT: Mount = Mount::new::<Vault>(|app| guard::<Vault>(router(), app), document);

fn document() -> OpenApi {
    let description = Description {
        title: "Sojourn: Vault",
        about: "The session API of the FantasticAuth Vault SDK.",
        server: "https://api.vault.dev/api/v1",
        security: bearer(),
    };
    description.of_secured(router().into_openapi())
}

fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_sessions, handlers::logout_all_sessions))
        .routes(routes!(handlers::revoke_session))
}
