//! The handlers. Operation ids are those of the published SDK.

use std::sync::Arc;

use axum::extract::State;

use super::error::{Blackbox, ErrorResponse};
use super::wire::{
    ApiMessage, ApiResponse, CleanupResult, ExtendSessionRequest, RevokeAllSessionsRequest, SessionInfo,
    SessionListResponse, SessionStats,
};
use crate::api::app::App;
use crate::api::extract;
use crate::api::family::Refused;
use crate::api::json::Json;

type Result<T> = std::result::Result<Json<T>, Refused<Blackbox>>;
type User = extract::User<Blackbox>;
type Origin = extract::Origin<Blackbox>;
type SessionPath = extract::SessionPath<Blackbox>;
type Body<T> = extract::Body<Blackbox, T>;

#[utoipa::path(
    get, path = "/api/v0/sessions", tag = "Session Management", operation_id = "list_sessions",
    summary = "List active sessions",
    description = "At most 1000 sessions are listed: the newest, and always the caller's own. `total` counts all.",
    responses(
        (status = 200, description = "The user's active sessions, newest first", body = ApiResponse<SessionListResponse>),
        (status = 401, description = "No valid token", body = ErrorResponse),
    ),
)]
pub(super) async fn list_sessions(State(app): State<Arc<App>>, me: User) -> Result<ApiResponse<SessionListResponse>> {
    let sessions = app.sessions.own_sessions(&me).await?;
    Ok(Json(ApiResponse::of(SessionListResponse::new(sessions, me.session.id))))
}

#[utoipa::path(
    post, path = "/api/v0/sessions/cleanup", tag = "Session Management", operation_id = "cleanup_expired_sessions",
    summary = "Clean up expired sessions",
    responses(
        (status = 200, description = "The number of deleted sessions", body = ApiResponse<CleanupResult>),
        (status = 401, description = "No valid token", body = ErrorResponse),
    ),
)]
pub(super) async fn cleanup_expired_sessions(
    State(app): State<Arc<App>>,
    me: User,
    origin: Origin,
) -> Result<ApiResponse<CleanupResult>> {
    let deleted = app.sessions.clean_up_own(&me, origin.into_inner()).await?;
    let message = format!("Cleaned up {deleted} expired sessions");
    Ok(Json(ApiResponse::told(CleanupResult { deleted }, message)))
}

#[utoipa::path(
    post, path = "/api/v0/sessions/revoke-all", tag = "Session Management", operation_id = "revoke_all_sessions",
    summary = "Revoke all sessions", request_body = RevokeAllSessionsRequest,
    responses(
        (status = 200, description = "The sessions are revoked", body = ApiMessage),
        (status = 400, description = "The body cannot be read", body = ErrorResponse),
        (status = 401, description = "No valid token", body = ErrorResponse),
        (status = 413, description = "Over 64 KiB", body = ErrorResponse),
        (status = 415, description = "Not JSON", body = ErrorResponse),
    ),
)]
pub(super) async fn revoke_all_sessions(
    State(app): State<Arc<App>>,
    me: User,
    body: Body<RevokeAllSessionsRequest>,
) -> Result<ApiMessage> {
    let ended = app.sessions.end_all_own(&me, body.keep_current).await?;
    Ok(Json(ApiMessage::new(format!("Revoked {ended} sessions"))))
}

#[utoipa::path(
    get, path = "/api/v0/sessions/stats", tag = "Session Management", operation_id = "get_session_stats",
    summary = "Get session statistics",
    responses(
        (status = 200, description = "The numbers of the user's sessions", body = ApiResponse<SessionStats>),
        (status = 401, description = "No valid token", body = ErrorResponse),
    ),
)]
pub(super) async fn get_session_stats(State(app): State<Arc<App>>, me: User) -> Result<ApiResponse<SessionStats>> {
    Ok(Json(ApiResponse::of(app.sessions.session_stats_of(&me.session.user_id).await?.into())))
}

#[utoipa::path(
    get, path = "/api/v0/sessions/{session_id}", tag = "Session Management", operation_id = "get_session",
    summary = "Get a session",
    params(("session_id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = ApiResponse<SessionInfo>),
        (status = 401, description = "No valid token", body = ErrorResponse),
        (status = 404, description = "No such session, or another user's", body = ErrorResponse),
    ),
)]
pub(super) async fn get_session(
    State(app): State<Arc<App>>,
    me: User,
    id: SessionPath,
) -> Result<ApiResponse<SessionInfo>> {
    let session = app.sessions.own_session(&me, *id).await?;
    Ok(Json(ApiResponse::of(SessionInfo::new(session, me.session.id))))
}

#[utoipa::path(
    delete, path = "/api/v0/sessions/{session_id}", tag = "Session Management", operation_id = "revoke_session",
    summary = "Revoke a session",
    params(("session_id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session is revoked", body = ApiMessage),
        (status = 401, description = "No valid token", body = ErrorResponse),
        (status = 404, description = "No such session, or another user's", body = ErrorResponse),
    ),
)]
pub(super) async fn revoke_session(State(app): State<Arc<App>>, me: User, id: SessionPath) -> Result<ApiMessage> {
    app.sessions.end_own(&me, *id).await?;
    Ok(Json(ApiMessage::new("Session revoked".to_owned())))
}

#[utoipa::path(
    post, path = "/api/v0/sessions/{session_id}/extend", tag = "Session Management", operation_id = "extend_session",
    summary = "Extend a session", request_body = ExtendSessionRequest,
    params(("session_id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The extended session", body = ApiResponse<SessionInfo>),
        (status = 400, description = "The body cannot be read, or the number of hours is not allowed", body = ErrorResponse),
        (status = 401, description = "No valid token", body = ErrorResponse),
        (status = 404, description = "No such session, or another user's", body = ErrorResponse),
        (status = 413, description = "Over 64 KiB", body = ErrorResponse),
        (status = 415, description = "Not JSON", body = ErrorResponse),
    ),
)]
pub(super) async fn extend_session(
    State(app): State<Arc<App>>,
    me: User,
    id: SessionPath,
    body: Body<ExtendSessionRequest>,
) -> Result<ApiResponse<SessionInfo>> {
    let seconds = body.seconds(app.sessions.policy(), &me.session.scope)?;
    let session = app.sessions.extend_own(&me, *id, seconds).await?;
    Ok(Json(ApiResponse::of(SessionInfo::new(session, me.session.id))))
}
