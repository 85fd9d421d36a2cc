//! `/v1/verify` and `/v1/require`: checks for gateways, before they let a request through.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};

use super::Result;
use crate::api::app::App;
use crate::api::extract;
use crate::api::json::Json;
use crate::api::native::error::{Native, Problem};
use crate::api::native::responses::NotValid;
use crate::api::native::wire;
use crate::model::{Caller, SignedIn};
use crate::sessions::{Error, Freshness, Refusal, Requirements};

/// The path before the requirements.
const REQUIRE: &str = "/v1/require/";

/// Verify a token
///
/// Check for gateways: nginx `auth_request`, Caddy `forward_auth`, Traefik `forwardAuth` and Envoy `ext_authz`. A valid
/// token gets 200, with the user's identity in headers to pass on. Any other gets 401, and so does a service key,
/// because it has no user. Every method is accepted, and for Envoy every path below this one. The query is that of the
/// guarded request, so it is ignored except for `freshness=strict`.
#[utoipa::path(
    get, path = "/v1/verify", tag = "Verification", operation_id = "verify",
    params(("freshness" = inline(Option<wire::Freshness>), Query, description = "`strict` for an answer as of now; any other value is ignored")),
    responses(
        (status = 200, description = "The token is valid", body = wire::Verified, headers(
            ("X-User-Id" = String, description = "Id of the user"),
            ("X-Session-Id" = String, description = "Id of the session"),
            ("X-Session-Scope" = String, description = "Scope of the session"),
            ("X-Session-Client" = String, description = "Application that the session was opened for; empty if unknown"),
            ("X-Session-Acr" = String, description = "Authentication context class of the sign-in; empty if unknown"),
            ("X-Session-Amr" = String, description = "Authentication methods of the sign-in, separated by spaces, a space within one as `%20` and a `%` as `%25`; empty if unknown"),
            ("X-Session-Auth-Time" = i64, description = "Time of the last authentication, in seconds since 1970"),
            ("X-User-Name" = String, description = "Name of the user; empty if unknown or too long"),
            ("X-User-Name-Encoded" = String, description = "The same, percent-encoded and so in ASCII; empty if unknown or too long"),
            ("X-User-Email" = String, description = "Email address of the user; empty if unknown or too long"),
        )),
        NotValid,
    ),
)]
pub(crate) async fn verify(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    answer(&app, request, &Requirements::default()).await
}

/// Verify a token against requirements
///
/// Like `verify`, for routes with requirements, which the gateway's configuration writes into the path:
/// `/v1/require/scope=reports:read;acr=aal2;max_age=600;client=web;freshness=strict`. Each may occur once, in any
/// order. Values are percent-encoded, lists separated by `%20`.
///
/// * `scope`: words that must all be in the session's scope
/// * `acr`: authentication context classes, one of which the session must have; a higher one of aal1, aal2 and aal3
///   suffices
/// * `max_age`: maximum number of seconds since the user authenticated
/// * `client`: applications, for one of which the session must have been opened
/// * `freshness`: always `strict`, for an answer as of now
///
/// The path after the next slash, and the query except for `freshness=strict`, are those of the guarded request and are
/// ignored.
#[utoipa::path(
    get, path = "/v1/require/{requirements}", tag = "Verification", operation_id = "require",
    params(
        ("requirements" = String, Path, description = "The requirements", example = "scope=reports:read;max_age=600"),
        ("freshness" = inline(Option<wire::Freshness>), Query, description = "`strict` for an answer as of now; any other value is ignored"),
    ),
    responses(
        (status = 200, description = "The token is valid and its session meets the requirements; with the headers of `verify`", body = wire::Verified),
        (status = 400, description = "An unknown requirement, or one that no session can meet", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token is valid, but its session does not meet the requirements. The challenge has the error `insufficient_scope` (RFC 6750) for the scope or the application, and `insufficient_user_authentication` (RFC 9470) for a sign-in that is too weak or too old", body = Problem, content_type = "application/problem+json"),
        NotValid,
    ),
)]
pub(crate) async fn require(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let requirements = wire::requirements(request.uri().path().strip_prefix(REQUIRE).unwrap_or_default())?;
    answer(&app, request, &requirements).await
}

async fn answer(app: &App, request: Request, requirements: &Requirements) -> Result<Response> {
    let (mut parts, _) = request.into_parts();
    // The method is that of the guarded request. A check changes nothing, so a cookie needs no same origin.
    parts.method = Method::GET;
    let strict = parts.uri.query().unwrap_or_default().split('&').any(|pair| pair == "freshness=strict");
    let freshness = if strict { Some(Freshness::Strict) } else { requirements.freshness() };
    let caller = extract::guarded_caller::<Native>(&parts, app, freshness).await?;
    let Caller::User(signed_in) = caller else {
        return Err(Error::from(Refusal::NotAUser).into());
    };
    let SignedIn { session, user } = *signed_in;
    requirements.check(&session, app.sessions.now()).map_err(Error::from)?;
    let body = wire::Verified {
        user_id: session.user_id.to_string(),
        session_id: session.id.as_uuid(),
        scope: session.scope.to_string(),
        expires_at: session.expires_at,
    };
    let mut response = Json(body).into_response();
    for (name, value) in wire::identity(&session, &user) {
        // Control characters were refused on the way in; other text goes out as UTF-8 octets (RFC 9110 section 5.5).
        let value = HeaderValue::try_from(value).map_err(|error| Error::Internal(error.into()))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
