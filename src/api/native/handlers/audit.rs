//! `/v1/audit`.

use std::sync::Arc;

use axum::extract::State;

use super::{Caller, Query, Result};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{BadQuery, NeedsAdmin, Unauthenticated};
use crate::api::native::wire;
use crate::model::DEFAULT_PAGE;

/// Read the audit trail
///
/// Returns what staff changed, newest first: an entry for each action of a caller with `sessions:admin` or of the command
/// line, written in one transaction with the change. What users do with their own sessions is not in it, nor is the work
/// of login services. For the next page, pass `next_cursor` as `cursor` with the same conditions.
#[utoipa::path(
    get, path = "/v1/audit", tag = "Administration", operation_id = "readAudit", params(wire::SearchAudit),
    responses(
        (status = 200, description = "One page of entries", body = wire::AuditPage),
        (status = 422, description = "An invalid condition, a `cursor` of another search, or `search_too_broad`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadQuery, NeedsAdmin,
    ),
)]
pub(crate) async fn read_audit(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query<wire::SearchAudit>,
) -> Result<Json<wire::AuditPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    Ok(Json(app.sessions.audit(&caller, &query.filter()?, limit, query.cursor.as_deref()).await?.into()))
}
