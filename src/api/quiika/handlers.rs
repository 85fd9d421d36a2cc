//! The handlers. Summaries, descriptions and operation ids are those of the published document, to the letter.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::error::{ErrorResponse, Quiika};
use super::wire::{SessionCountResponse, UserSessionDetails};
use crate::api::app::App;
use crate::api::extract;
use crate::api::family::Refused;
use crate::api::json::Json;
use crate::model::SignedIn;

type Result<T> = std::result::Result<T, Refused<Quiika>>;
type User = extract::User<Quiika>;
type UserWithBareToken = extract::UserWithBareToken<Quiika>;
type SessionPath = extract::SessionPath<Quiika>;

#[utoipa::path(
    get, path = "/auth/sessions", tag = "Session Management", operation_id = "getUserSessions",
    summary = "Get all active sessions for current user",
    responses(
        (status = 200, description = "Successfully retrieved sessions", body = [UserSessionDetails]),
        (status = 401, description = "No valid token", body = ErrorResponse),
    ),
)]
pub(super) async fn get_user_sessions(State(app): State<Arc<App>>, me: User) -> Result<Json<Vec<UserSessionDetails>>> {
    own_sessions(&app, &me).await
}

#[utoipa::path(
    get, path = "/auth/sessions/active", tag = "Session Management", operation_id = "getActiveSessions",
    summary = "Get active sessions for current user",
    responses(
        (status = 200, description = "Successfully retrieved active sessions", body = [UserSessionDetails]),
        (status = 401, description = "No valid token", body = ErrorResponse),
    ),
)]
pub(super) async fn get_active_sessions(
    State(app): State<Arc<App>>,
    me: User,
) -> Result<Json<Vec<UserSessionDetails>>> {
    own_sessions(&app, &me).await
}

async fn own_sessions(app: &App, me: &SignedIn) -> Result<Json<Vec<UserSessionDetails>>> {
    let sessions = app.sessions.recent_own_sessions(me).await?;
    let now = app.sessions.now();
    Ok(Json(sessions.into_iter().map(|session| UserSessionDetails::new(session, me, now)).collect()))
}

#[utoipa::path(
    get, path = "/auth/sessions/count", tag = "Session Management", operation_id = "getSessionCount",
    summary = "Get active session count for current user",
    responses(
        (status = 200, description = "Successfully retrieved session count", body = SessionCountResponse),
        (status = 401, description = "No valid token", body = ErrorResponse),
    ),
)]
pub(super) async fn get_session_count(State(app): State<Arc<App>>, me: User) -> Result<Json<SessionCountResponse>> {
    let count = app.sessions.count_active_sessions_of(&me.session.user_id).await?;
    Ok(Json(SessionCountResponse { active_sessions: i64::try_from(count).unwrap_or(i64::MAX) }))
}

#[utoipa::path(
    delete, path = "/auth/sessions", tag = "Session Management", operation_id = "revokeOtherSessions",
    summary = "Revoke all other sessions except current one",
    params(("Authorization" = String, Header, description = "The Authorization header containing the current session's JWT.")),
    responses(
        (status = 200, description = "Other sessions revoked successfully"),
        (status = 401, description = "No valid token"),
    ),
)]
pub(super) async fn revoke_other_sessions(State(app): State<Arc<App>>, me: UserWithBareToken) -> Result<StatusCode> {
    app.sessions.end_all_own(&me, true).await?;
    Ok(StatusCode::OK)
}

#[utoipa::path(
    delete, path = "/auth/sessions/all", tag = "Session Management", operation_id = "revokeAllSessions",
    summary = "Revoke all sessions for current user",
    responses(
        (status = 200, description = "All sessions revoked successfully"),
        (status = 401, description = "No valid token"),
    ),
)]
pub(super) async fn revoke_all_sessions(State(app): State<Arc<App>>, me: User) -> Result<StatusCode> {
    app.sessions.end_all_own(&me, false).await?;
    Ok(StatusCode::OK)
}

#[utoipa::path(
    delete, path = "/auth/sessions/{sessionId}", tag = "Session Management", operation_id = "revokeSession",
    summary = "Revoke a specific session",
    params(("sessionId" = String, Path, description = "The ID of the session to revoke.")),
    responses(
        (status = 200, description = "Session revoked successfully"),
        (status = 401, description = "No valid token"),
        (status = 404, description = "Session not found or does not belong to the user"),
    ),
)]
pub(super) async fn revoke_session(State(app): State<Arc<App>>, me: User, id: SessionPath) -> Result<StatusCode> {
    app.sessions.end_own(&me, *id).await?;
    Ok(StatusCode::OK)
}
