//! `/v1/cleanup`.

use std::sync::Arc;

use axum::extract::State;

use super::{Caller, OptionalBody, Result};
use crate::api::App;
use crate::api::json::Json;
use crate::api::native::{Problem, wire};

/// Clean up
///
/// Deletes sessions that ended or expired longer ago than the server keeps them. The server does so by itself every ten
/// minutes; this is for who cannot wait.
#[utoipa::path(
    post, path = "/v1/cleanup", tag = "Administration", operation_id = "cleanUp",
    request_body = Option<wire::CleanUp>,
    responses(
        (status = 200, description = "What was deleted", body = wire::CleanedUp),
        (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid credential", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`sessions:admin` is needed", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Over 64 KiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearerAuth" = []))
)]
pub(crate) async fn clean_up(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: OptionalBody<wire::CleanUp>,
) -> Result<Json<wire::CleanedUp>> {
    let dry_run = body.dry_run;
    let deleted = app.sessions.clean_up(&caller, dry_run).await?;
    Ok(Json(wire::CleanedUp { deleted, dry_run }))
}
