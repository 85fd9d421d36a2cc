//! `/v1/sessions`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;

use super::{Actor, Body, BodyAndBytes, Caller, Query, Result, SessionPath};
use crate::api::addressing::prefix_of;
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{
    BadBody, BadFields, BadQuery, NeedsAdminRecent, NeedsRead, NoSuchSession, NotActive, ServiceNeedsRead,
    Unauthenticated,
};
use crate::api::native::wire;
use crate::api::session_cookie;
use crate::model::{DEFAULT_PAGE, FieldError, Session};
use crate::sessions::{Error, IdempotencyKey, IssuedTokens, TokenChoice};

/// Open a session
///
/// For login services: takes the user and the circumstances of a sign-in, and returns tokens for the user. The server
/// does not authenticate the user: a caller with `sessions:write` can open a session of any user. The session's scope
/// may have any words of your applications. Words that give rights on this server (`sessions:…`, `revoke_session` and
/// Janssen's `https://jans.io/…`) must be in the caller's own scope, unless the caller is a service key with
/// `sessions:grant`.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "Sessions", operation_id = "openSession", request_body = wire::OpenSession,
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Key for safe repeats: the same key and body within 24 hours return the same session")),
    responses(
        (status = 201, description = "The session, opened now or before with this idempotency key", body = wire::OpenedSession,
            headers(
                ("Location" = String, description = "Path of the session"),
                ("Set-Cookie" = String, description = "With `tokens: cookie`, the session token in the application's cookie or else the server's"),
            )),
        (status = 403, description = "`sessions:write` is needed, or `sessions:grant` for the requested scope; or `user_banned`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`session_limit_reached`, or `session_not_active` if the idempotency key's session has ended or expired", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Invalid fields, or `idempotency_key_reused`", body = Problem, content_type = "application/problem+json"),
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
    let key = idempotency_key(&headers, &[&bytes])?;
    let draft = body.into_draft(app.http.cookie.clone())?;
    let choice = draft.tokens;
    let opened = app.sessions.open(&caller, draft, key).await?;
    let cookie = cookie_with(&app, &opened.signed_in.session, &opened.tokens, choice)?;
    let prefix = prefix_of(app.sessions.access_tokens().issuer());
    let location = format!("{prefix}/v1/sessions/{}", opened.signed_in.session.id);
    let body = wire::OpenedSession::new(opened, wire::Viewer::of(&caller), app.sessions.now());
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], with_cookie(cookie, body)).into_response())
}

fn idempotency_key(headers: &HeaderMap, request: &[&[u8]]) -> std::result::Result<Option<IdempotencyKey>, FieldError> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| FieldError::new("Idempotency-Key", "must be printable ASCII"))?;
            IdempotencyKey::new(text.to_owned(), &request.concat()).map(Some)
        }
        (Some(_), Some(_)) => Err(FieldError::new("Idempotency-Key", "must be sent only once")),
    }
}

/// Authenticate in a session
///
/// For login services: records that the user of an active session has authenticated anew, as before a sensitive operation or
/// with a further factor. `acr` and `amr` become those of the new authentication, `auth_time` moves forward, and new tokens
/// are returned. All earlier tokens of the session are refused from then on, except by applications that verify access
/// tokens themselves, until those expire. The session goes on, and its ends never move later. The caller needs the rights
/// that it would need to open the session.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/authenticate", tag = "Sessions", operation_id = "authenticateSession",
    request_body = wire::AuthenticateSession,
    params(
        ("id" = String, Path, description = "The session's id"),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Key for safe repeats: the same key and body within 24 hours return the tokens of the same authentication"),
    ),
    responses(
        (status = 200, description = "The session and its new tokens", body = wire::OpenedSession),
        (status = 403, description = "`sessions:write` is needed, or `sessions:grant` for the session's scope", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Invalid fields, a weaker `acr` than the session's, or `idempotency_key_reused`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NoSuchSession, NotActive,
    ),
)]
pub(crate) async fn authenticate_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: SessionPath,
    headers: HeaderMap,
    body: BodyAndBytes<wire::AuthenticateSession>,
) -> Result<Response> {
    let (body, bytes) = body.into_inner();
    // The operation is part of the request: a key of another session's or of an opening is another request's.
    let key = idempotency_key(&headers, &[b"authenticate", id.as_uuid().as_bytes(), &bytes])?;
    let (draft, choice) = body.into_draft();
    let server_cookie = app.http.cookie.as_deref();
    let refreshed = app.sessions.reauthenticate(&caller, *id, draft, choice, server_cookie, key).await?;
    let cookie = cookie_with(&app, &refreshed.session, &refreshed.tokens, choice)?;
    let body = wire::OpenedSession::refreshed(refreshed, wire::Viewer::of(&caller), app.sessions.now());
    Ok(with_cookie(cookie, body))
}

/// The cookie with a session's token, if the opener chose a cookie.
fn cookie_with(
    app: &App,
    session: &Session,
    tokens: &IssuedTokens,
    choice: TokenChoice,
) -> std::result::Result<Option<HeaderValue>, Error> {
    match tokens {
        IssuedTokens::Session { token, .. } if choice == TokenChoice::Cookie => {
            session_cookie::set(app, session, token.expose())
        }
        _ => Ok(None),
    }
}

/// An answer whose token is in the cookie, or in the body if there is none.
fn with_cookie(cookie: Option<HeaderValue>, body: wire::OpenedSession) -> Response {
    match cookie {
        Some(cookie) => ([(header::SET_COOKIE, cookie)], Json(body.with_token_in_cookie())).into_response(),
        None => Json(body).into_response(),
    }
}

/// End many sessions
///
/// Ends sessions by their ids, by a filter, or all sessions of all users. A filter takes effect at once for any number
/// of sessions, and does not affect sessions opened afterwards. With `dry_run` they are counted and not ended.
#[utoipa::path(
    post, path = "/v1/sessions/revoke", tag = "Sessions", operation_id = "revokeSessions",
    request_body = wire::RevokeSessions,
    responses(
        (status = 200, description = "The sessions are ended, or only counted with `dry_run`", body = wire::RevokedSessions),
        (status = 422, description = "Invalid selection, or `search_too_broad` with `dry_run`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NeedsAdminRecent,
    ),
)]
pub(crate) async fn revoke_sessions(
    State(app): State<Arc<App>>,
    actor: Actor,
    body: Body<wire::RevokeSessions>,
) -> Result<Json<wire::RevokedSessions>> {
    let dry_run = body.dry_run;
    let revoked = app.sessions.revoke(&actor, body.into_inner().selection()?, dry_run).await?;
    Ok(Json(wire::RevokedSessions::new(revoked, wire::Viewer::of(&actor), app.sessions.now())))
}

/// Search sessions
///
/// Returns the sessions of all users that meet the conditions, newest first by default. For the next page, pass
/// `next_cursor` as `cursor` with the same conditions.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "Sessions", operation_id = "searchSessions", params(wire::SearchSessions),
    responses(
        (status = 200, description = "One page of sessions", body = wire::SessionPage),
        (status = 422, description = "Invalid condition, cursor of another search, or `search_too_broad`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadQuery, NeedsRead,
    ),
)]
pub(crate) async fn search_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query<wire::SearchSessions>,
) -> Result<Json<wire::SessionPage>> {
    let (criteria, sort) = query.criteria()?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    let page = app.sessions.search(&caller, &criteria, sort, limit, query.cursor.as_deref()).await?;
    Ok(Json(wire::SessionPage::new(page, wire::Viewer::of(&caller), app.sessions.now())))
}

/// Get a session
///
/// Returns one of the caller's own sessions, or with `sessions:read` any session, in any state.
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
/// Changes the device's name, the metadata or the claims. A new name needs no scope for the caller's own sessions, and
/// `sessions:admin` for any other. New metadata and new claims need `sessions:write`.
#[utoipa::path(
    patch, path = "/v1/sessions/{id}", tag = "Sessions", operation_id = "changeSession",
    params(("id" = String, Path, description = "The session's id")), request_body = wire::ChangeSession,
    responses(
        (status = 200, description = "The changed session", body = wire::Session),
        (status = 403, description = "The scope is insufficient", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NoSuchSession, NotActive, BadFields,
    ),
)]
pub(crate) async fn change_session(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: SessionPath,
    body: Body<wire::ChangeSession>,
) -> Result<Json<wire::Session>> {
    let mut body = body.into_inner();
    let metadata = body.take_metadata()?;
    let claims = body.claims.as_deref().map(RawValue::get);
    let session = app.sessions.change(&actor, *id, body.device_name, metadata, claims).await?;
    Ok(Json(wire::Session::new(session, wire::Viewer::of(&actor), app.sessions.now())))
}

/// End a session
///
/// Ends one of the caller's own sessions, or with `sessions:admin` any session. Ending an ended session succeeds and
/// changes nothing.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "Sessions", operation_id = "endSession",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "The session is ended"),
        (status = 403, description = "A service needs `sessions:admin`; or `insufficient_user_authentication` for another session than the caller's own, if the server wants a recent authentication of users for this", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, NoSuchSession,
    ),
)]
pub(crate) async fn end_session(State(app): State<Arc<App>>, actor: Actor, id: SessionPath) -> Result<StatusCode> {
    app.sessions.end(&actor, *id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Extend a session
///
/// Moves the `expires_at` of one of the caller's own sessions, if the server lets users do so, or with `sessions:admin`
/// of any session. The absolute end is never passed: the answer has the new `expires_at`.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/extend", tag = "Sessions", operation_id = "extendSession",
    params(("id" = String, Path, description = "The session's id")), request_body = wire::ExtendSession,
    responses(
        (status = 200, description = "The extended session", body = wire::Session),
        (status = 403, description = "`sessions:admin` is needed: always by services, and by users if the server does not let them extend sessions", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "An extension of less than a second, or of more than the server allows", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NoSuchSession, NotActive,
    ),
)]
pub(crate) async fn extend_session(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: SessionPath,
    body: Body<wire::ExtendSession>,
) -> Result<Json<wire::Session>> {
    let session = app.sessions.extend(&actor, *id, body.extend_by).await?;
    Ok(Json(wire::Session::new(session, wire::Viewer::of(&actor), app.sessions.now())))
}
