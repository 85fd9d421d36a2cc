//! `/v1/status` and `/v1/settings`.

use std::sync::Arc;

use axum::extract::State;

use super::{Caller, Result};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::responses::{NeedsAdmin, NeedsRead, Unauthenticated};
use crate::api::native::wire;
use crate::model::Scope;

/// Get the state of the server
///
/// Returns the state of the replica that answers: its version, its database, the age of its answers, and what is wrong right
/// now. A database that does not answer is one of the problems, and not an error of this operation.
#[utoipa::path(
    get, path = "/v1/status", tag = "Administration", operation_id = "getStatus",
    responses((status = 200, description = "The state", body = wire::Status), Unauthenticated, NeedsRead),
)]
pub(crate) async fn get_status(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<wire::Status>> {
    Ok(Json(app.sessions.status(&caller, app.surroundings()).await?.into()))
}

/// List settings
///
/// Returns every setting of the replica that answers, with its default, the value in force and where that came from. Of a
/// secret it says only whether it is set.
#[utoipa::path(
    get, path = "/v1/settings", tag = "Administration", operation_id = "listSettings",
    responses((status = 200, description = "The settings", body = wire::SettingList), Unauthenticated, NeedsAdmin),
)]
pub(crate) async fn list_settings(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<wire::SettingList>> {
    caller.require(Scope::ADMIN)?;
    Ok(Json(wire::SettingList::new(&app.settings)))
}
