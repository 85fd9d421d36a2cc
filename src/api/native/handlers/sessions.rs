//! `/v1/sessions`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Body, BodyAndBytes, Caller, Query, Result, SessionPath};
use crate::api::addressing::prefix_of;
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{
    BadBody, BadFields, BadQuery, NeedsAdmin, NeedsRead, NoSuchSession, NotActive, ServiceNeedsRead, Unauthenticated,
};
use crate::api::native::wire;
use crate::model::{DEFAULT_PAGE, FieldError};
use crate::sessions::IdempotencyKey;

/// Open a session
///
/// For login services: tell who signed in and how, and get the tokens to hand to them. The caller is believed: whoever
/// has `sessions:write` can open a session of any user. Its scope may have any words of yours; of those that give
/// rights here (`sessions:…`, `revoke_session` and Janssen's `https://jans.io/…`) only what the caller has itself,
/// unless that is a service key with `sessions:grant`.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "Sessions", operation_id = "openSession", request_body = wire::OpenSession,
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, description = "A repeat with the same key and body within 24 hours answers the same session")),
    responses(
        (status = 201, description = "Opened, or opened before with this idempotency key", body = wire::OpenedSession,
            headers(("Location" = String, description = "The session"))),
        (status = 403, description = "`sessions:write` is needed, or `sessions:grant` for the scope that the session is to have; or `user_banned`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`session_limit_reached`, or `session_not_active` for a key whose session is over", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields that cannot be taken, or `idempotency_key_reused`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody,
    ),
)]
pub(crate) async fn open_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    body: BodyAndBytes<wire::OpenSession>,
) -> Result<Response> {
    let (body, bytes) = body.into_inner();
    let key = idempotency_key(&headers, &bytes)?;
    let opened = app.sessions.open(&caller, body.into_draft()?, key).await?;
    let prefix = prefix_of(app.sessions.access_tokens().issuer());
    let location = format!("{prefix}/v1/sessions/{}", opened.signed_in.session.id);
    let body = wire::OpenedSession::new(opened, wire::Viewer::of(&caller), app.sessions.now());
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

fn idempotency_key(headers: &HeaderMap, request: &[u8]) -> std::result::Result<Option<IdempotencyKey>, FieldError> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| FieldError::new("Idempotency-Key", "must be printable ASCII"))?;
            IdempotencyKey::new(text.to_owned(), request).map(Some)
        }
        (Some(_), Some(_)) => Err(FieldError::new("Idempotency-Key", "must be there once")),
    }
}

/// End many sessions
///
/// By their ids, by a filter, or all of everybody's. A filter takes effect at once, however many sessions it means; none
/// that is opened afterwards is among them. Ask with `dry_run` first.
#[utoipa::path(
    post, path = "/v1/sessions/revoke", tag = "Sessions", operation_id = "revokeSessions",
    request_body = wire::RevokeSessions,
    responses(
        (status = 200, description = "They have ended", body = wire::RevokedSessions),
        (status = 422, description = "A selection that cannot be taken, or `search_too_broad` with `dry_run`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NeedsAdmin,
    ),
)]
pub(crate) async fn revoke_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Body<wire::RevokeSessions>,
) -> Result<Json<wire::RevokedSessions>> {
    let dry_run = body.dry_run;
    let revoked = app.sessions.revoke(&caller, body.into_inner().selection()?, dry_run).await?;
    Ok(Json(wire::RevokedSessions::new(revoked, dry_run, wire::Viewer::of(&caller), app.sessions.now())))
}

/// Search sessions
///
/// Over all users, newest first unless told otherwise. Pages by cursor: pass `next_cursor` with the same conditions.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "Sessions", operation_id = "searchSessions", params(wire::SearchSessions),
    responses(
        (status = 200, description = "One page", body = wire::SessionPage),
        (status = 422, description = "A condition that cannot be taken, a cursor of another search, or `search_too_broad`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadQuery, NeedsRead,
    ),
)]
pub(crate) async fn search_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query<wire::SearchSessions>,
) -> Result<Json<wire::SessionPage>> {
    let (filter, sort) = query.filter()?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    let page = app.sessions.search(&caller, &filter, sort, limit, query.cursor.as_deref()).await?;
    Ok(Json(wire::SessionPage::new(page, wire::Viewer::of(&caller), app.sessions.now())))
}

/// Get a session
///
/// One's own, or anybody's with `sessions:read`, whatever its state.
#[utoipa::path(
    get, path = "/v1/sessions/{id}", tag = "Sessions", operation_id = "getSession",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = wire::Session),
        Unauthenticated, ServiceNeedsRead, NoSuchSession,
    ),
)]
pub(crate) async fn get_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: SessionPath,
) -> Result<Json<wire::Session>> {
    let session = app.sessions.session(&caller, *id).await?;
    Ok(Json(wire::Session::new(session, wire::Viewer::of(&caller), app.sessions.now())))
}

/// Change a session
///
/// The device's name: one's own, or anybody's with `sessions:admin`. The metadata: with `sessions:write`.
#[utoipa::path(
    patch, path = "/v1/sessions/{id}", tag = "Sessions", operation_id = "changeSession",
    params(("id" = String, Path, description = "The session's id")), request_body = wire::ChangeSession,
    responses(
        (status = 200, description = "The session as it is now", body = wire::Session),
        (status = 403, description = "The scope is too small", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NoSuchSession, NotActive, BadFields,
    ),
)]
pub(crate) async fn change_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: SessionPath,
    body: Body<wire::ChangeSession>,
) -> Result<Json<wire::Session>> {
    let mut body = body.into_inner();
    let metadata = body.take_metadata()?;
    let session = app.sessions.change(&caller, *id, body.device_name, metadata).await?;
    Ok(Json(wire::Session::new(session, wire::Viewer::of(&caller), app.sessions.now())))
}

/// End a session
///
/// One's own, or anybody's with `sessions:admin`. Ending an ended one changes nothing and succeeds.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "Sessions", operation_id = "endSession",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "It is ended"),
        (status = 403, description = "A service needs `sessions:admin`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, NoSuchSession,
    ),
)]
pub(crate) async fn end_session(State(app): State<Arc<App>>, caller: Caller, id: SessionPath) -> Result<StatusCode> {
    app.sessions.end(&caller, *id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Extend a session
///
/// One's own, if the server lets users do so, or anybody's with `sessions:admin`. The absolute end is never passed: the
/// answer tells where it ends now.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/extend", tag = "Sessions", operation_id = "extendSession",
    params(("id" = String, Path, description = "The session's id")), request_body = wire::ExtendSession,
    responses(
        (status = 200, description = "The session as it is now", body = wire::Session),
        (status = 403, description = "`sessions:admin` is needed: by a service, or where users may not extend their sessions", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Less than a second, or more than the server allows", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NoSuchSession, NotActive,
    ),
)]
pub(crate) async fn extend_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: SessionPath,
    body: Body<wire::ExtendSession>,
) -> Result<Json<wire::Session>> {
    let session = app.sessions.extend(&caller, *id, body.extend_by).await?;
    Ok(Json(wire::Session::new(session, wire::Viewer::of(&caller), app.sessions.now())))
}
