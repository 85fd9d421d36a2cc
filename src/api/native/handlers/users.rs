//! `/v1/users`.

use std::sync::Arc;

use axum::BoxError;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Actor, Body, Caller, OptionalBody, PathText, Query, Result};
use crate::api::app::App;
use crate::api::failure::Rejection;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{
    BadBody, BadFields, BadQuery, BadUserId, NeedsAdminRecent, NeedsRead, NoSuchUser, Unauthenticated,
};
use crate::api::native::wire;
use crate::config::ConsoleAddress;
use crate::model::{DEFAULT_PAGE, UserId};

/// Search for users
///
/// Returns users page by page, in the order of their ids. Users are known here since they were stored, banned or given
/// a session.
#[utoipa::path(
    get, path = "/v1/users", tag = "Users", operation_id = "searchUsers", params(wire::SearchUsers),
    responses(
        (status = 200, description = "One page of users", body = wire::UserPage),
        (status = 422, description = "An invalid condition, a `cursor` of another search, or `search_too_broad`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadQuery, NeedsRead,
    ),
)]
pub(crate) async fn search_users(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query<wire::SearchUsers>,
) -> Result<Json<wire::UserPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    Ok(Json(app.sessions.find_users(&caller, &query.query()?, limit, query.cursor.as_deref()).await?.into()))
}

/// Get a user
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "Users", operation_id = "getUser",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The user", body = wire::User),
        Unauthenticated, NeedsRead, NoSuchUser, BadUserId,
    ),
)]
pub(crate) async fn get_user(State(app): State<Arc<App>>, caller: Caller, id: PathText) -> Result<Json<wire::User>> {
    Ok(Json(app.sessions.user(&caller, &UserId::parse(id.into_inner())?).await?.into()))
}

/// Create or change a user
///
/// Stores the user's name and email address. Members that are left out keep their stored values.
#[utoipa::path(
    put, path = "/v1/users/{id}", tag = "Users", operation_id = "putUser",
    params(("id" = String, Path, description = "The user's id")), request_body = wire::UserDetails,
    responses(
        (status = 200, description = "The created or changed user", body = wire::User),
        (status = 403, description = "`sessions:write` is needed; or `insufficient_user_authentication`, if the server wants a recent authentication of users for this", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, BadFields,
    ),
)]
pub(crate) async fn put_user(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
    body: Body<wire::UserDetails>,
) -> Result<Json<wire::User>> {
    Ok(Json(app.sessions.put_user(&actor, &UserId::parse(id.into_inner())?, &body.into_inner().parse()?).await?.into()))
}

/// Delete a user
///
/// Ends the user's sessions, and deletes the user's name, email address and ban. Ended sessions are kept for the
/// server's retention time. With `erase`, or if the server always erases, personal data is removed from them at once:
/// IP addresses, locations, user agents, devices, metadata and claims. The user's id, the application, kind of device, scope
/// and times remain until the sessions are deleted. A user that was deleted before can be erased by a repeat with
/// `erase`.
#[utoipa::path(
    delete, path = "/v1/users/{id}", tag = "Users", operation_id = "deleteUser",
    params(("id" = String, Path, description = "The user's id"), wire::DeleteUser),
    responses(
        (status = 200, description = "The numbers of ended and of erased sessions", body = wire::DeletedUser),
        Unauthenticated, BadQuery, NeedsAdminRecent, NoSuchUser, BadUserId,
    ),
)]
pub(crate) async fn delete_user(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
    query: Query<wire::DeleteUser>,
) -> Result<Json<wire::DeletedUser>> {
    Ok(Json(app.sessions.delete_user(&actor, &UserId::parse(id.into_inner())?, query.erase).await?.into()))
}

/// Export a user
///
/// Returns all data stored about a user in one document: the user, and the user's sessions in every state, newest
/// first. The document is streamed and may be long. If the stream breaks off, the document is not valid JSON.
#[utoipa::path(
    get, path = "/v1/users/{id}/export", tag = "Users", operation_id = "exportUser",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The document", body = wire::UserExport),
        (status = 404, description = "Nothing is stored about this user", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, NeedsRead, BadUserId,
    ),
)]
pub(crate) async fn export_user(State(app): State<Arc<App>>, caller: Caller, id: PathText) -> Result<Response> {
    let export = app.sessions.export_user(&caller, UserId::parse(id.into_inner())?).await?;
    let viewer = wire::Viewer::of(&caller);
    let (start, end) = wire::UserExport::around_sessions(export.user.clone())?;
    let sessions = stream::try_unfold((export, ""), move |(mut export, separator)| {
        let now = app.sessions.now();
        async move {
            let page = export.next_page().await?;
            let page: Vec<wire::Session> =
                page.into_iter().map(|session| wire::Session::new(session, viewer, now)).collect();
            if page.is_empty() {
                return Ok(None);
            }
            Ok::<_, BoxError>(Some((wire::UserExport::sessions(separator, &page)?, (export, ","))))
        }
    });
    let sessions = sessions.inspect_err(|error| tracing::warn!(%error, "the export of a user breaks off"));
    let text = stream::iter([Ok(start)]).chain(sessions).chain(stream::iter([Ok(end)]));
    Ok(([(header::CONTENT_TYPE, "application/json")], axum::body::Body::from_stream(text)).into_response())
}

/// Ban a user
///
/// Ends the user's sessions at once and allows no new ones. An unknown user can be banned too.
#[utoipa::path(
    post, path = "/v1/users/{id}/ban", tag = "Users", operation_id = "banUser",
    params(("id" = String, Path, description = "The user's id")), request_body = Option<wire::BanUser>,
    responses(
        (status = 200, description = "The banned user, and the number of ended sessions", body = wire::BannedUser),
        (status = 422, description = "Invalid user id or reason", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NeedsAdminRecent,
    ),
)]
pub(crate) async fn ban_user(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
    body: OptionalBody<wire::BanUser>,
) -> Result<Json<wire::BannedUser>> {
    let (id, reason) = (UserId::parse(id.into_inner())?, body.into_inner().reason);
    let (user, ended) = app.sessions.ban_user(&actor, &id, reason).await?;
    Ok(Json(wire::BannedUser { user: user.into(), ended }))
}

/// Lift a ban
///
/// Allows the user new sessions. Sessions that the ban ended stay ended.
#[utoipa::path(
    post, path = "/v1/users/{id}/unban", tag = "Users", operation_id = "unbanUser",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The user, no longer banned", body = wire::User),
        Unauthenticated, NeedsAdminRecent, NoSuchUser, BadUserId,
    ),
)]
pub(crate) async fn unban_user(State(app): State<Arc<App>>, actor: Actor, id: PathText) -> Result<Json<wire::User>> {
    Ok(Json(app.sessions.unban_user(&actor, &UserId::parse(id.into_inner())?).await?.into()))
}

/// Make a link to a user's account page
///
/// Returns the URL of the page at which the user sees and ends its sessions, for a browser that has no session cookie of
/// this server. The link works once, within 15 minutes; the browser that opens it sees the page for 30 minutes. It is no
/// credential for anything else. The link of a key that is bound to an application shows the sessions of that application.
///
/// The URL begins with the server's issuer. An application that passes the page on below its own origin takes from it what
/// begins with `/account/`.
#[utoipa::path(
    post, path = "/v1/users/{id}/account-link", tag = "Users", operation_id = "createAccountLink",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 201, description = "The link", body = wire::AccountLink),
        (status = 403, description = "`sessions:write` is needed; or the user is banned (`user_banned`); or `insufficient_user_authentication`, if the server wants a recent authentication of users for this", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or the server has no account page", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadUserId,
    ),
)]
pub(crate) async fn create_account_link(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
) -> Result<(StatusCode, Json<wire::AccountLink>)> {
    if app.http.console == ConsoleAddress::None {
        return Err(Rejection::NotThere("This server has no account page".to_owned()).into());
    }
    let (link, expires_at) = app.sessions.make_account_link(&actor, &UserId::parse(id.into_inner())?).await?;
    let link = wire::AccountLink::new(app.sessions.access_tokens().issuer(), &link, expires_at);
    Ok((StatusCode::CREATED, Json(link)))
}

/// List a user's sessions
///
/// Returns the user's active sessions, newest first.
#[utoipa::path(
    get, path = "/v1/users/{id}/sessions", tag = "Users", operation_id = "listUserSessions",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The sessions", body = wire::SessionList),
        Unauthenticated, NeedsRead, BadUserId,
    ),
)]
pub(crate) async fn list_user_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathText,
) -> Result<Json<wire::SessionList>> {
    let sessions = app.sessions.sessions_of(&caller, &UserId::parse(id.into_inner())?).await?;
    Ok(Json(wire::SessionList::new(sessions, wire::Viewer::of(&caller), app.sessions.now())))
}

/// End a user's sessions
///
/// Ends all active sessions of the user.
#[utoipa::path(
    delete, path = "/v1/users/{id}/sessions", tag = "Users", operation_id = "endUserSessions",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, description = "The number of ended sessions", body = wire::EndedSessions),
        Unauthenticated, NeedsAdminRecent, BadUserId,
    ),
)]
pub(crate) async fn end_user_sessions(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
) -> Result<Json<wire::EndedSessions>> {
    let ended = app.sessions.end_all_of(&actor, &UserId::parse(id.into_inner())?).await?;
    Ok(Json(wire::EndedSessions { ended }))
}
