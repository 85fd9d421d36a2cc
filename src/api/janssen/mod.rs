//! Janssen, `/api/v1/jans-auth-server/session*`: everybody's sessions in the hands of an administrator or a service, as
//! the config-api's SDK (javascript) calls them.
//!
//! Known quirks
//! * Too small a scope is 401, not 403, always with a JSON body, and with a challenge.
//! * The lists hold what nobody has ended, expired sessions too until they are cleaned up.
//! * `startIndex` counts from 0, whatever its text says, and is echoed as `start`.
//! * Nothing is null or empty: what is not known is left out. `id`, `dn` and `deviceSecrets` always are.
//! * A user is a distinguished name made by a template (`SOJOURN_JANSSEN_USER_DN`); any other text is taken for an id.
//! * In `fieldValuePair` text is compared for equality whatever the operator; `<` means `<=`, `>` means `>=`.
//! * A sort by `lastUsedAt` and a `pattern` read the whole table, so on a large one they are refused as too slow.

mod error;
mod handlers;
mod search;
mod wire;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use error::Janssen;

use super::App;

/// The family's routes and their document.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::get_sessions))
        .routes(routes!(handlers::search_session))
        .routes(routes!(handlers::get_session_by_id, handlers::delete_session))
        .routes(routes!(handlers::revoke_user_session))
}
