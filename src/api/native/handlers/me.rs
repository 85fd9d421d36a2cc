//! `/v1/me`: the caller.

use std::sync::Arc;

use axum::extract::State;

use super::{Caller, Query, Result, User};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::responses::{BadQuery, NeedsRecent, NotAUser, Unauthenticated};
use crate::api::native::wire;
use crate::model;

/// Get the caller
///
/// Returns the user and the session of the caller's token, or the service of its key.
#[utoipa::path(
    get, path = "/v1/me", tag = "Me", operation_id = "getMe",
    responses(
        (status = 200, description = "The caller", body = wire::Me),
        Unauthenticated,
    ),
)]
pub(crate) async fn get_me(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<wire::Me>> {
    Ok(Json(match caller.into_inner() {
        model::Caller::User(signed_in) => {
            let viewer = wire::Viewer::user(&signed_in);
            let model::SignedIn { session, user } = *signed_in;
            let session = wire::Session::new(session, viewer, app.sessions.now());
            wire::Me::user(user.into(), session)
        }
        model::Caller::Service(service) => wire::Me::service(service),
    }))
}

/// List my sessions
///
/// Returns the user's active sessions, newest first.
#[utoipa::path(
    get, path = "/v1/me/sessions", tag = "Me", operation_id = "listMySessions",
    responses(
        (status = 200, description = "The sessions", body = wire::SessionList),
        NotAUser,
    ),
)]
pub(crate) async fn list_my_sessions(State(app): State<Arc<App>>, me: User) -> Result<Json<wire::SessionList>> {
    let sessions = app.sessions.own_sessions(&me).await?;
    Ok(Json(wire::SessionList::new(sessions, wire::Viewer::user(&me), app.sessions.now())))
}

/// End my sessions
///
/// Ends all sessions of the user, including the current one unless `keep_current` is true.
#[utoipa::path(
    delete, path = "/v1/me/sessions", tag = "Me", operation_id = "endMySessions", params(wire::EndMySessions),
    responses(
        (status = 200, description = "The number of ended sessions", body = wire::EndedSessions),
        NotAUser, BadQuery, NeedsRecent,
    ),
)]
pub(crate) async fn end_my_sessions(
    State(app): State<Arc<App>>,
    me: User,
    query: Query<wire::EndMySessions>,
) -> Result<Json<wire::EndedSessions>> {
    let ended = app.sessions.end_all_own(&me, query.keep_current).await?;
    Ok(Json(wire::EndedSessions { ended }))
}
