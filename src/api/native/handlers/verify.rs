//! `/v1/verify`: for gateways that ask before they let a request through.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};

use super::Result;
use crate::api::json::Json;
use crate::api::native::{Native, Problem, wire};
use crate::api::{App, extract};
use crate::sessions::{Caller, Error, Freshness, Refusal, SignedIn};

/// The most bytes of what the headers tell: gateways have 4 KiB for the head of an answer, unless told otherwise.
const MAX_IDENTITY_BYTES: usize = 3 * 1024;
const VERIFY: &str = "/v1/verify";

/// What the gateway asks for. Below the path the query is that of the client behind it, who has no say in this.
async fn asked_freshness(parts: &mut Parts, app: &Arc<App>) -> Result<Option<Freshness>> {
    let extract::Query(query, _) = extract::Query::<Native, wire::VerifyQuery>::from_request_parts(parts, app).await?;
    Ok(query.freshness.map(Freshness::from))
}

/// Does this token stand
///
/// For nginx `auth_request`, Traefik `forwardAuth` and Envoy `ext_authz` (which may ask below this path, with any
/// method). 200 with the identity in headers to pass on, else 401. A service key is no user, so it is 401 too.
#[utoipa::path(
    get, path = "/v1/verify", tag = "Verification", operation_id = "verify", params(wire::VerifyQuery),
    responses(
        (status = 200, description = "It stands", body = wire::Verified, headers(
            ("X-User-Id" = String, description = "Whose session it is"),
            ("X-Session-Id" = String, description = "The session"),
            ("X-Session-Scope" = String, description = "What it may do"),
            ("X-User-Name" = String, description = "The user's name, empty when unknown or too long"),
            ("X-User-Email" = String, description = "The user's email address, empty when unknown or too long"),
        )),
        (status = 400, description = "The query cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "It does not stand, or there is none", body = Problem, content_type = "application/problem+json"),
    ),
    security(("bearerAuth" = []))
)]
pub(crate) async fn verify(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let (mut parts, _) = request.into_parts();
    // The method is that of the request behind the gateway; asking changes nothing, so a cookie needs no same origin.
    parts.method = Method::GET;
    let freshness = if parts.uri.path() == VERIFY { asked_freshness(&mut parts, &app).await? } else { None };
    let caller = extract::caller::<Native>(&parts, &app, extract::Place::Bearer, freshness).await?;
    let Caller::User(signed_in) = caller else {
        return Err(Error::from(Refusal::NotAUser).into());
    };
    let SignedIn { session, user } = *signed_in;
    let body = wire::Verified {
        user_id: session.user_id.to_string(),
        session_id: session.id.as_uuid(),
        scope: session.scope.to_string(),
        expires_at: session.expires_at,
    };
    let required = session.user_id.as_str().len() + session.scope.as_str().len();
    let [name, email] = fitting([user.name, user.email], MAX_IDENTITY_BYTES.saturating_sub(required));
    // All of them always, empty or not: a gateway that copies them then overwrites what a client made up.
    let identity = [
        (const { HeaderName::from_static("x-user-id") }, session.user_id.to_string()),
        (const { HeaderName::from_static("x-session-id") }, session.id.to_string()),
        (const { HeaderName::from_static("x-session-scope") }, session.scope.to_string()),
        (const { HeaderName::from_static("x-user-name") }, name),
        (const { HeaderName::from_static("x-user-email") }, email),
    ];
    let mut response = Json(body).into_response();
    for (name, value) in identity {
        // Control characters were refused on the way in; other text goes out as UTF-8 octets (RFC 9110 section 5.5).
        let value = HeaderValue::try_from(value).map_err(|error| Error::Internal(error.into()))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The texts that fit into so many bytes together; empty in place of one that does not.
fn fitting<const N: usize>(texts: [Option<String>; N], mut room: usize) -> [String; N] {
    texts.map(|text| {
        let text = text.filter(|text| text.len() <= room).unwrap_or_default();
        room -= text.len();
        text
    })
}
