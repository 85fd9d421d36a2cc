//! `/v1/session/cookie`: the browser's cookie of a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::{Result, User};
use crate::api::app::App;
use crate::api::credentials::session_token;
use crate::api::extract;
use crate::api::native::error::{Native, Problem};
use crate::api::native::responses::NotAUser;
use crate::api::session_cookie;
use crate::model::FieldError;

/// Put a session token into a cookie
///
/// For a page that got a session token from its login service: sets the cookie of the session's application, or else the
/// server's, so that no script holds the token any longer.
#[utoipa::path(
    post, path = "/v1/session/cookie", tag = "Me", operation_id = "setSessionCookie",
    responses(
        (status = 204, description = "The cookie is set", headers(("Set-Cookie" = String, description = "The session token, for as long as the browser runs"))),
        (status = 422, description = "The credential is not a session token in `Authorization`, or neither its application nor the server has a cookie", body = Problem, content_type = "application/problem+json"),
        NotAUser,
    ),
)]
pub(crate) async fn set_session_cookie(State(app): State<Arc<App>>, me: User, headers: HeaderMap) -> Result<Response> {
    let refused = |message: &'static str| FieldError::new("Authorization", message);
    let token = session_token(&headers).ok_or_else(|| refused("must be Bearer with a session token"))?;
    let cookie = session_cookie::set(&app, &me.session, token)?;
    let no_name =
        "must be of a session whose application has a cookie_name, unless the server has one by SOJOURN_COOKIE";
    let cookie = cookie.ok_or_else(|| refused(no_name))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Sign out by cookie
///
/// Ends the session of the request's cookie, active or not, and makes the browser forget the cookie. The
/// `Authorization` header does not matter.
#[utoipa::path(
    delete, path = "/v1/session/cookie", tag = "Me", operation_id = "endSessionByCookie",
    responses(
        (status = 204, description = "The session is ended", headers(("Set-Cookie" = String, description = "The cookie, empty and expired"))),
        (status = 401, description = "No cookie with a session token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site_request` or `missing_origin`: no page of ours made the request", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn end_session_by_cookie(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let (parts, _) = request.into_parts();
    let mut names = BTreeSet::new();
    for credential in extract::cookies::<Native>(&parts, &app)? {
        app.sessions.revoke_token(&credential.text).await?;
        names.extend(credential.cookie.map(|cookie| cookie.name));
    }
    let mut cleared = Vec::new();
    for name in names {
        cleared.push((header::SET_COOKIE, session_cookie::clear(&app, &name)?));
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cleared)).into_response())
}
