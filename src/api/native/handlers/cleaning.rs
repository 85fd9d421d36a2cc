//! `/v1/cleanup`.

use std::sync::Arc;

use axum::extract::State;

use super::{Actor, OptionalBody, Result};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::responses::{BadBody, NeedsAdmin, Unauthenticated};
use crate::api::native::wire;

/// Clean up
///
/// Deletes sessions that ended or expired longer ago than the server's retention time. The server also does so by
/// itself, every ten minutes.
#[utoipa::path(
    post, path = "/v1/cleanup", tag = "Administration", operation_id = "cleanUp",
    request_body = Option<wire::CleanUp>,
    responses(
        (status = 200, description = "The number of deleted sessions", body = wire::CleanedUp),
        Unauthenticated, BadBody, NeedsAdmin,
    ),
)]
pub(crate) async fn clean_up(
    State(app): State<Arc<App>>,
    actor: Actor,
    body: OptionalBody<wire::CleanUp>,
) -> Result<Json<wire::CleanedUp>> {
    let dry_run = body.dry_run;
    let deleted = app.sessions.clean_up(&actor, dry_run).await?;
    Ok(Json(wire::CleanedUp { deleted, dry_run }))
}
