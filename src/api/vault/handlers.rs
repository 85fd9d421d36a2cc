//! The handlers. Summaries, descriptions and operation ids are those of the published document, to the letter.

use std::sync::Arc;

use axum::extract::State;

use super::error::{ErrorResponse, Vault};
use super::wire::{MessageResponse, SessionResponse};
use crate::api::app::App;
use crate::api::extract;
use crate::api::family::Refused;
use crate::api::json::Json;

type Result<T> = std::result::Result<T, Refused<Vault>>;
type User = extract::User<Vault>;
type SessionPath = extract::SessionPath<Vault>;

#[utoipa::path(
    get, path = "/api/v1/users/me/sessions", tag = "Sessions", operation_id = "listSessions",
    summary = "List active sessions",
    responses(
        (status = 200, description = "List of sessions", body = [SessionResponse]),
        (status = 401, description = "Authentication required", body = ErrorResponse),
    ),
)]
pub(super) async fn list_sessions(State(app): State<Arc<App>>, me: User) -> Result<Json<Vec<SessionResponse>>> {
    let sessions = app.sessions.own_sessions(&me).await?.sessions;
    Ok(Json(sessions.into_iter().map(|session| SessionResponse::new(session, me.session.id)).collect()))
}

#[utoipa::path(
    delete, path = "/api/v1/users/me/sessions", tag = "Sessions", operation_id = "logoutAllSessions",
    summary = "Logout all sessions",
    responses(
        (status = 200, description = "All sessions revoked", body = MessageResponse),
        (status = 401, description = "Authentication required", body = ErrorResponse),
    ),
)]
pub(super) async fn logout_all_sessions(State(app): State<Arc<App>>, me: User) -> Result<Json<MessageResponse>> {
    let ended = app.sessions.end_all_own(&me, false).await?;
    Ok(Json(MessageResponse { message: format!("Revoked {ended} sessions") }))
}

#[utoipa::path(
    delete, path = "/api/v1/users/me/sessions/{sessionId}", tag = "Sessions", operation_id = "revokeSession",
    summary = "Revoke specific session",
    params(("sessionId" = String, Path)),
    responses(
        (status = 200, description = "Session revoked", body = MessageResponse),
        (status = 401, description = "Authentication required", body = ErrorResponse),
        (status = 404, description = "Resource not found", body = ErrorResponse),
    ),
)]
pub(super) async fn revoke_session(
    State(app): State<Arc<App>>,
    me: User,
    id: SessionPath,
) -> Result<Json<MessageResponse>> {
    app.sessions.end_own(&me, *id).await?;
    Ok(Json(MessageResponse { message: "Session revoked".to_owned() }))
}
