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

use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Vault;

use super::guard::guard;
use super::openapi::{Description, bearer};
use super::{App, Mount};

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
