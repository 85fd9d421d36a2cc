//! The handlers. The published document has no operation ids; these are ours. The own sessions' operations are only
//! published as a wrapper's methods, so their words are ours too.

use std::sync::Arc;

use axum::extract::State;

use super::error::{Cumulonimbus, ErrorResponse};
use super::wire::{
    AllButSelf, Bulk, DeleteBulk, DeleteSessions, Myself, Session, SessionInPath, SessionList, Subject, Window,
};
use crate::api::app::App;
use crate::api::extract;
use crate::api::family::Refused;
use crate::api::json::Json;

type Result<T> = std::result::Result<Json<T>, Refused<Cumulonimbus>>;
type User = extract::UserWithBareToken<Cumulonimbus>;

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

#[utoipa::path(
    get, path = "/user/session", tag = "Session Management", operation_id = "getCurrentSession",
    summary = "Get the session of the token.",
    responses(
        (status = 200, description = "Session", body = Session),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn get_current_session(user: User) -> Result<Session> {
    Ok(Json(user.into_inner().session.into()))
}

#[utoipa::path(
    get, path = "/user/sessions", tag = "Session Management", operation_id = "getSelfSessions",
    summary = "Get the user's own sessions.",
    params(
        ("limit" = Option<u32>, Query, description = "Number of sessions on the page: 1 to 50, otherwise 50."),
        ("offset" = Option<u32>, Query, description = "Number of sessions before the page: otherwise 0."),
    ),
    responses(
        (status = 200, description = "List<Session>", body = SessionList),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn list_own_sessions(
    State(app): State<Arc<App>>,
    Myself(own): Myself,
    window: Window,
) -> Result<SessionList> {
    let page = app.sessions.managed_sessions(&own, window.offset, window.limit).await?;
    Ok(Json(page.into()))
}

#[utoipa::path(
    get, path = "/user/session/{sid}", tag = "Session Management", operation_id = "getSelfSession",
    summary = "Get one of the user's own sessions.",
    params(("sid" = String, Path, description = "The `id` of the session, or its `iat`.")),
    responses(
        (status = 200, description = "Session", body = Session),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned", body = ErrorResponse),
        (status = 404, description = "InvalidSession", body = ErrorResponse),
        (status = 409, description = "AmbiguousSession", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn get_own_session(
    State(app): State<Arc<App>>,
    Myself(own): Myself,
    SessionInPath(handle): SessionInPath,
) -> Result<Session> {
    Ok(Json(app.sessions.managed_session(&own, handle).await?.into()))
}

#[utoipa::path(
    delete, path = "/user/session/{sid}", tag = "Session Management", operation_id = "deleteSelfSession",
    summary = "Delete one of the user's own sessions.",
    params(("sid" = String, Path, description = "The `id` of the session, or its `iat`.")),
    responses(
        (status = 200, description = "Session", body = Session),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned", body = ErrorResponse),
        (status = 404, description = "InvalidSession", body = ErrorResponse),
        (status = 409, description = "AmbiguousSession", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn delete_own_session(
    State(app): State<Arc<App>>,
    Myself(own): Myself,
    SessionInPath(handle): SessionInPath,
) -> Result<Session> {
    Ok(Json(app.sessions.end_managed_session(&own, handle).await?.into()))
}

#[utoipa::path(
    delete, path = "/user/sessions", tag = "Session Management", operation_id = "deleteSelfSessions",
    summary = "Delete several of the user's own sessions.", request_body = DeleteSessions,
    responses(
        (status = 200, description = "DeleteBulk", body = DeleteBulk),
        (status = 400, description = "MissingFields", body = ErrorResponse),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned", body = ErrorResponse),
        (status = 413, description = "BodyTooLarge", body = ErrorResponse),
        (status = 415, description = "UnsupportedMediaType", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn delete_own_sessions(
    State(app): State<Arc<App>>,
    Myself(own): Myself,
    Bulk(handles): Bulk,
) -> Result<DeleteBulk> {
    Ok(Json(DeleteBulk::of(app.sessions.end_managed_sessions(&own, &handles).await?)))
}

#[utoipa::path(
    delete, path = "/user/sessions/all", tag = "Session Management", operation_id = "deleteAllSelfSessions",
    summary = "Delete all of the user's own sessions.",
    params(("allButSelf" = Option<bool>, Query, description = "Whether the session of the token is kept.")),
    responses(
        (status = 200, description = "DeleteBulk", body = DeleteBulk),
        (status = 400, description = "MissingFields", body = ErrorResponse),
        (status = 401, description = "InvalidSession", body = ErrorResponse),
        (status = 403, description = "Banned", body = ErrorResponse),
        (status = 429, description = "RateLimited", body = ErrorResponse),
        (status = 500, description = "Internal", body = ErrorResponse),
    ),
)]
pub(super) async fn delete_all_own_sessions(
    State(app): State<Arc<App>>,
    user: User,
    AllButSelf(keeps_current): AllButSelf,
) -> Result<DeleteBulk> {
    Ok(Json(DeleteBulk::of(app.sessions.end_all_own(&user, keeps_current).await?)))
}
