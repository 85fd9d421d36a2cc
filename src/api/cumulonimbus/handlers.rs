//! The handlers. The published document has no operation ids; these are ours.

use std::sync::Arc;

use axum::extract::State;

use super::error::{Cumulonimbus, ErrorResponse};
use super::wire::{Bulk, DeleteBulk, DeleteSessions, Session, SessionInPath, SessionList, Subject, Window};
use crate::api::app::App;
use crate::api::family::Refused;
use crate::api::json::Json;

type Result<T> = std::result::Result<Json<T>, Refused<Cumulonimbus>>;

#[utoipa::path(
    get, path = "/user/{id}/sessions", tag = "Session Management", operation_id = "getSessions",
    summary = "Get a users sessions.",
    params(
        ("id" = String, Path, description = "The ID of the user who's sessions you want to retrieve."),
        ("limit" = Option<u32>, Query, description = "The number of sessions returned in the request, the default and max is 50."),
        ("offset" = Option<u32>, Query, description = "Used to paginate requests, default is no offset."),
    ),
    responses(
        (status = 200, description = "List<Session>", body = SessionList),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned, Permissions", body = ErrorResponse),
        (status = 404, description = "InvalidUser", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn list_sessions(
    State(app): State<Arc<App>>,
    Subject(managed): Subject,
    window: Window,
) -> Result<SessionList> {
    let page = app.sessions.managed_sessions(&managed, window.offset, window.limit).await?;
    Ok(Json(page.into()))
}

#[utoipa::path(
    get, path = "/user/{id}/session/{sid}", tag = "Session Management", operation_id = "getSession",
    summary = "Get a specific session of a specific user.",
    params(
        ("id" = String, Path, description = "The user who the session belongs to."),
        ("sid" = String, Path, description = "The session ID you are requesting."),
    ),
    responses(
        (status = 200, description = "Session", body = Session),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned, Permissions", body = ErrorResponse),
        (status = 404, description = "InvalidUser, SessionMissing", body = ErrorResponse),
        (status = 409, description = "AmbiguousSession", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn get_session(
    State(app): State<Arc<App>>,
    Subject(managed): Subject,
    SessionInPath(handle): SessionInPath,
) -> Result<Session> {
    Ok(Json(app.sessions.managed_session(&managed, handle).await?.into()))
}

#[utoipa::path(
    delete, path = "/user/{id}/session/{sid}", tag = "Session Management", operation_id = "deleteSession",
    summary = "Delete a specific session owned by a specific user.",
    params(
        ("id" = String, Path, description = "The ID of the user who owns the session."),
        ("sid" = String, Path, description = "The ID of the session you want to delete."),
    ),
    responses(
        (status = 200, description = "Session", body = Session),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned, Permissions", body = ErrorResponse),
        (status = 404, description = "InvalidUser, InvalidSession", body = ErrorResponse),
        (status = 409, description = "AmbiguousSession", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn delete_session(
    State(app): State<Arc<App>>,
    Subject(managed): Subject,
    SessionInPath(handle): SessionInPath,
) -> Result<Session> {
    Ok(Json(app.sessions.end_managed_session(&managed, handle).await?.into()))
}

#[utoipa::path(
    delete, path = "/user/{id}/sessions", tag = "Session Management", operation_id = "deleteSessions",
    summary = "Bulk delete a list of provided sessions for a given user.", request_body = DeleteSessions,
    params(("id" = String, Path, description = "The ID of the user who owns the sessions provided.")),
    responses(
        (status = 200, description = "DeleteBulk", body = DeleteBulk),
        (status = 400, description = "MissingFields", body = ErrorResponse),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned, Permissions", body = ErrorResponse),
        (status = 404, description = "InvalidUser", body = ErrorResponse),
        (status = 413, description = "BodyTooLarge", body = ErrorResponse),
        (status = 415, description = "UnsupportedMediaType", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn delete_sessions(
    State(app): State<Arc<App>>,
    Subject(managed): Subject,
    Bulk(handles): Bulk,
) -> Result<DeleteBulk> {
    Ok(Json(DeleteBulk::of(app.sessions.end_managed_sessions(&managed, &handles).await?)))
}

#[utoipa::path(
    delete, path = "/user/{id}/sessions/all", tag = "Session Management", operation_id = "deleteAllSessions",
    summary = "Bulk delete all of a user's sessions.",
    params(("id" = String, Path, description = "The ID of the user who's sessions you wish to delete.")),
    responses(
        (status = 200, description = "DeleteBulk", body = DeleteBulk),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned, Permissions", body = ErrorResponse),
        (status = 404, description = "InvalidUser", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn delete_all_sessions(State(app): State<Arc<App>>, Subject(managed): Subject) -> Result<DeleteBulk> {
    Ok(Json(DeleteBulk::of(app.sessions.end_all_managed(&managed).await?)))
}
