//! Janssen, `/api/v1/jans-auth-server/session*` and the same below `/jans-config-api`: everybody's sessions in the hands
//! of an administrator or a service, as the config-api's SDK (javascript) calls them.
//!
//! Known quirks
//! * An insufficient scope is 401, not 403, always with a JSON body, and with a challenge.
//! * The lists hold all sessions that are not ended, expired ones too until they are cleaned up.
//! * `startIndex` counts from 0, whatever its text says, and is echoed as `start`. Past the end the page is empty.
//! * The original's server is deployed at `/jans-config-api`, and its document does not say so.
//! * An ending's errors have bodies that the document leaves out: with them described, the SDK's document would say that
//!   an ending answers JSON.
//! * Nothing is null or empty: an unknown property is left out. `id`, `dn` and `deviceSecrets` always are.
//! * A user is a distinguished name made by a template (`SOJOURN_JANSSEN_USER_DN`); any other text counts as an id.
//! * In `fieldValuePair` text is compared for equality with any operator; `<` means `<=`, `>` means `>=`.
//! * A sort by `lastUsedAt` and a `pattern` scan the whole table, so on a large one they are refused as too slow.

pub mod dn;
mod error;
mod handlers;
mod search;
mod wire;

use std::sync::Arc;

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use error::DEPLOYED_AT;
pub use error::Janssen;

use super::app::App;
use super::description::Description;
use super::guard::guard;
use super::mount::Mount;
use crate::model::Scope;
use crate::sessions::Rights;

const SESSION_READONLY: &str = "https://jans.io/oauth/jans-auth-server/session.readonly";
const READ_ALL: &str = "https://jans.io/oauth/config/read-all";
const SESSION_DELETE: &str = "https://jans.io/oauth/jans-auth-server/session.delete";
const DELETE_ALL: &str = "https://jans.io/oauth/config/delete-all";
const REVOKE_SESSION: &str = "revoke_session";

/// The scopes under which the original's clients see and end sessions.
const RIGHTS: Rights = Rights {
    read: &[&[SESSION_READONLY], &[READ_ALL], &[Scope::ADMIN]],
    end: &[&[SESSION_DELETE, REVOKE_SESSION], &[DELETE_ALL], &[Scope::ADMIN]],
};

/// The family as the server mounts it.
pub(super) const MOUNT: Mount =
    Mount { rights: Some(&RIGHTS), ..Mount::new::<Janssen>(|app| guard::<Janssen>(at_both_places(), app), document) };

fn document() -> OpenApi {
    let description = Description {
        title: "Sojourn: Janssen",
        about: "The session management API of the Janssen config-api, also served below `/jans-config-api`. Every error has \
                the body `ApiError`, also where none is described.",
        server: "https://jans.local.io",
        security: ("oauth2", SecurityScheme::OAuth2(OAuth2::new([flow()]))),
    };
    description.of(router().into_openapi())
}

/// The flow by which the original's clients get their tokens. Here any token or service key of these scopes will do.
fn flow() -> Flow {
    let scopes = Scopes::from_iter([
        (SESSION_READONLY, "See sessions"),
        (SESSION_DELETE, "End sessions"),
        (REVOKE_SESSION, "End sessions"),
    ]);
    Flow::ClientCredentials(ClientCredentials::new("https://jans.local.io/jans-auth/restv1/token", scopes))
}

/// The routes of the document, and the same where the original is deployed.
fn at_both_places() -> OpenApiRouter<Arc<App>> {
    router().nest(DEPLOYED_AT, router())
}

fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::get_sessions))
        .routes(routes!(handlers::search_session))
        .routes(routes!(handlers::get_session_by_id, handlers::delete_session))
        .routes(routes!(handlers::revoke_user_session))
}
