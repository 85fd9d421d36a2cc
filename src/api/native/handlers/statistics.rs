//! `/v1/stats`.

use std::sync::Arc;

use axum::extract::State;

use super::{Caller, Query, Result};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{BadQuery, NeedsRead, Unauthenticated};
use crate::api::native::wire;

/// Get statistics
///
/// Returns the numbers of sessions opened, expired and ended (by reason) in each hour or day (UTC), and of sessions
/// open at its end. The numbers are exact up to `as_of`, normally 15 to 30 seconds ago, and longer while a bulk ending
/// is being applied to its sessions. Sessions deleted before the server kept statistics are not counted.
#[utoipa::path(
    get, path = "/v1/stats", tag = "Administration", operation_id = "getStatistics", params(wire::StatisticsQuery),
    responses(
        (status = 200, description = "The numbers", body = wire::Statistics),
        (status = 422, description = "Invalid time, or more than 5000 points", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadQuery, NeedsRead,
    ),
)]
pub(crate) async fn get_statistics(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query<wire::StatisticsQuery>,
) -> Result<Json<wire::Statistics>> {
    let group_by = query.group_by;
    let statistics = app.sessions.statistics(&caller, &query.into_inner().parse()?).await?;
    Ok(Json(wire::Statistics::new(statistics, group_by)))
}
