//! The handlers. Summaries, descriptions and operation ids are those of the published document, to the letter.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::error::{ApiError, Janssen};
use super::wire::{SearchParameters, SessionIdEntry, SessionPagedResult};
use super::{RIGHTS, search};
use crate::api::app::App;
use crate::api::extract;
use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::api::json::Json;
use crate::model;
use crate::model::{Condition, SessionId, UserId};
use crate::sessions::Error;

type Refusal = Refused<Janssen>;
type Result<T> = std::result::Result<T, Refusal>;
type Actor = extract::Actor<Janssen>;
type Caller = extract::Caller<Janssen>;
type PathText = extract::PathText<Janssen>;
type Query<T> = extract::Query<Janssen, T>;

const DEFAULT_LIMIT: u32 = 50;

#[utoipa::path(
    get, path = "/api/v1/jans-auth-server/session", tag = "Auth - Session Management", operation_id = "get-sessions",
    summary = "Return all session", description = "Return all session",
    responses(
        (status = 200, description = "Ok", body = SessionPagedResult),
        (status = 401, description = "Unauthorized", body = ApiError),
        (status = 500, description = "InternalServerError", body = ApiError),
    ),
    security(("oauth2" = ["https://jans.io/oauth/jans-auth-server/session.readonly"]))
)]
pub(super) async fn get_sessions(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<SessionPagedResult>> {
    page(&app, &caller, SearchParameters::default()).await
}

#[utoipa::path(
    get, path = "/api/v1/jans-auth-server/session/search", tag = "Auth - Session Management",
    operation_id = "search-session", summary = "Search session", description = "Search session",
    params(SearchParameters),
    responses(
        (status = 200, description = "Ok", body = SessionPagedResult),
        (status = 400, description = "Bad Request", body = ApiError),
        (status = 401, description = "Unauthorized", body = ApiError),
        (status = 500, description = "InternalServerError", body = ApiError),
    ),
    security(("oauth2" = ["https://jans.io/oauth/jans-auth-server/session.readonly"]))
)]
pub(super) async fn search_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    parameters: Query<SearchParameters>,
) -> Result<Json<SessionPagedResult>> {
    page(&app, &caller, parameters.into_inner()).await
}

async fn page(app: &App, caller: &model::Caller, parameters: SearchParameters) -> Result<Json<SessionPagedResult>> {
    let SearchParameters { limit, pattern, start_index, sort_by, sort_order, field_value_pair } = parameters;
    let not_negative = |number: i32| u32::try_from(number).unwrap_or(0);
    let limit = limit.map_or(DEFAULT_LIMIT.min(app.sessions.policy().search_page_limit), not_negative);
    let most = app.sessions.policy().search_page_limit;
    if limit > most {
        return Err(Rejection::Malformed(format!("Maximum number of results per page is {most}")).into());
    }
    let start = start_index.map_or(0, not_negative);
    let order = search::order(sort_by.as_deref().filter(|name| !name.is_empty()).unwrap_or("jansId"))?;
    let descending = sort_order.as_deref() == Some("descending");
    let template = &app.http.janssen_user_dn;
    let condition = Condition::All(vec![
        search::pairs(&field_value_pair.unwrap_or_default(), template)?,
        search::pattern(&pattern.unwrap_or_default(), template)?,
    ]);
    let listed = app.sessions.list((caller, &RIGHTS), condition, (order, descending), start, limit).await?;
    Ok(Json(SessionPagedResult::new(listed, start, template, app.sessions.now())))
}

#[utoipa::path(
    get, path = "/api/v1/jans-auth-server/session/sid/{sid}", tag = "Auth - Session Management",
    operation_id = "get-session-by-id", summary = "Get session by id.", description = "Get session by id.",
    params(("sid" = String, Path, description = "Session identifier.")),
    responses(
        (status = 200, description = "Ok", body = SessionIdEntry),
        (status = 401, description = "Unauthorized", body = ApiError),
        (status = 404, description = "Not Found", body = ApiError),
        (status = 500, description = "InternalServerError", body = ApiError),
    ),
    security(("oauth2" = ["https://jans.io/oauth/jans-auth-server/session.readonly"]))
)]
pub(super) async fn get_session_by_id(
    State(app): State<Arc<App>>,
    caller: Caller,
    sid: PathText,
) -> Result<Json<SessionIdEntry>> {
    let found = app.sessions.listed_session(&caller, &RIGHTS, SessionId::parse(&sid)).await;
    let session = found.map_err(|error| or_not_there(error, || "The requested sid doesn't exist".to_owned()))?;
    Ok(Json(SessionIdEntry::new(session, &app.http.janssen_user_dn, app.sessions.now())))
}

#[utoipa::path(
    delete, path = "/api/v1/jans-auth-server/session/sid/{sid}", tag = "Auth - Session Management",
    operation_id = "delete-session", summary = "Delete a session.", description = "Delete a session.",
    params(("sid" = String, Path, description = "Session identifier.")),
    responses(
        (status = 204, description = "No Content"),
        (status = 401, description = "Unauthorized"),
        (status = 404, description = "Not Found"),
        (status = 500, description = "InternalServerError"),
    ),
    security(("oauth2" = ["https://jans.io/oauth/jans-auth-server/session.delete", "revoke_session"]))
)]
pub(super) async fn delete_session(State(app): State<Arc<App>>, actor: Actor, sid: PathText) -> Result<StatusCode> {
    let sid = sid.into_inner();
    let ended = app.sessions.end_listed_session(&actor, &RIGHTS, SessionId::parse(&sid)).await;
    ended.map_err(|error| or_not_there(error, || format!("No authenticated session exists for sid '{sid}'!!!")))?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    delete, path = "/api/v1/jans-auth-server/session/user/{userDn}", tag = "Auth - Session Management",
    operation_id = "revoke-user-session", summary = "Revoke all sessions by userDn",
    description = "Revoke all sessions by userDn",
    params(("userDn" = String, Path, description = "User domain name")),
    responses(
        (status = 204, description = "No Content"),
        (status = 401, description = "Unauthorized"),
        (status = 404, description = "Not Found"),
        (status = 500, description = "InternalServerError"),
    ),
    security(("oauth2" = ["https://jans.io/oauth/jans-auth-server/session.delete", "revoke_session"]))
)]
pub(super) async fn revoke_user_session(State(app): State<Arc<App>>, actor: Actor, dn: PathText) -> Result<StatusCode> {
    let dn = dn.into_inner();
    let user = UserId::parse(app.http.janssen_user_dn.id_in(&dn)).ok();
    let ended = app.sessions.end_listed_sessions_of(&actor, &RIGHTS, user.as_ref()).await;
    ended.map_err(|error| or_not_there(error, || format!("No authenticated session exists for user '{dn}'!!!")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces a 404 of the core by the family's own sentence for the missing resource.
fn or_not_there(error: Error, sentence: impl FnOnce() -> String) -> Refusal {
    match error {
        Error::SessionNotFound | Error::UserNotFound => Rejection::NotThere(sentence()).into(),
        other => other.into(),
    }
}
