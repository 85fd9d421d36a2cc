//! `/v1/audit`, and the timeline of a session.

use std::sync::Arc;

use axum::extract::State;

use super::{Caller, Query, Result, SessionPath};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{BadQuery, NeedsAdmin, NeedsRead, NoSuchSession, Unauthenticated};
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

/// Get the timeline of a session
///
/// Returns the events of a session, oldest first: what the session itself tells, and what staff did to it, as far back
/// as the audit trail goes. A key that is bound to an application is refused.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/timeline", tag = "Sessions", operation_id = "getTimeline",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The events", body = wire::Timeline),
        Unauthenticated, NeedsRead, NoSuchSession,
    ),
)]
pub(crate) async fn get_timeline(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: SessionPath,
) -> Result<Json<wire::Timeline>> {
    Ok(Json(app.sessions.timeline(&caller, *id).await?.into()))
}
