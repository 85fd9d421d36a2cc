//! Errors as RFC 9457 problems.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::{Failure, Rejection};
use crate::api::family::Family;
use crate::api::json::Json;
use crate::model::FieldError;
use crate::sessions::{Error, Refusal, Unmet};

/// The native family.
pub struct Native;

impl Family for Native {
    const NAME: &'static str = "native";
    const PREFIXES: &'static [&'static str] = &["/v1"];
    const ENDS_OWN_SESSION: &'static [&'static str] = &["/v1/me/sessions", "/v1/session/cookie"];
    const OTHER_DELETIONS: &'static [&'static str] = &["/v1/applications/"];
    const COOKIE: bool = true;
    const CONSOLE: bool = true;
    const STANDARD_LIMITS: bool = true;
    /// Gateways pass on the query of the request that they guard.
    const IGNORING: &'static [&'static str] = &["/v1/verify", "/v1/require/{requirements}"];

    /// An empty cursor gets the whole list, like any invalid one.
    const BLANK_IS_DEFAULT: &'static [&'static str] = &["since"];

    fn is_ending_post(path: &str) -> bool {
        path == "/v1/sessions/revoke" || path.starts_with("/v1/users/") && path.ends_with("/ban")
    }

    fn respond(failure: &Failure) -> Response {
        problem(failure.status(), code(failure), failure.message(), failure.fields())
    }
}

/// An answer with a problem.
pub(in crate::api) fn problem(status: StatusCode, code: &str, detail: String, fields: &[FieldError]) -> Response {
    let problem = Problem {
        r#type: format!("urn:sojourn:problem:{code}"),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        code: code.to_owned(),
        detail,
        errors: fields
            .iter()
            .map(|error| InvalidField { field: error.field.to_string(), message: error.message.to_string() })
            .collect(),
    };
    let mut response = (status, Json(problem)).into_response();
    let problem_json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, problem_json);
    response
}

/// The code of a failure. Clients depend on these words.
fn code(failure: &Failure) -> &'static str {
    match failure {
        Failure::Core(error) => match error {
            Error::Unauthenticated(Refusal::CrossSite) => "cross_site_request",
            Error::Unauthenticated(Refusal::NoOrigin) => "missing_origin",
            Error::Unauthenticated(_) | Error::InvalidClient(_) => "unauthenticated",
            Error::Forbidden { .. } | Error::Unmet(Unmet::Scope(_) | Unmet::Client) => "insufficient_scope",
            Error::Unmet(Unmet::SignIn { .. }) => "insufficient_user_authentication",
            Error::SessionNotFound => "session_not_found",
            Error::AmbiguousSession(_) => "ambiguous_session",
            Error::SessionNotActive => "session_not_active",
            Error::UserNotFound => "user_not_found",
            Error::ServiceKeyNotFound => "key_not_found",
            Error::BoundKey => "bound_key",
            Error::ApplicationNotFound => "application_not_found",
            Error::ApplicationExists => "application_exists",
            Error::UserBanned => "user_banned",
            Error::SessionLimitReached => "session_limit_reached",
            Error::IdempotencyKeyReused => "idempotency_key_reused",
            Error::InvalidGrant(_) => "invalid_grant",
            Error::Invalid(_) => "invalid_request",
            Error::SearchTooBroad => "search_too_broad",
            Error::TooManyStreams => "too_many_streams",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal_error",
        },
        Failure::Request(rejection) => match rejection {
            Rejection::UnknownPath | Rejection::NeedlessSlash(_) | Rejection::NotThere(_) => "not_found",
            Rejection::MethodNotAllowed => "method_not_allowed",
            Rejection::TooLarge => "body_too_large",
            Rejection::Busy => "busy",
            Rejection::UnsupportedMediaType(_) => "unsupported_media_type",
            Rejection::UnsupportedEncoding => "unsupported_encoding",
            Rejection::Malformed(_) | Rejection::UnsupportedGrant => "malformed_request",
            Rejection::Invalid(_) | Rejection::TooMany { .. } => "invalid_request",
            Rejection::TooManyRequests { .. } => "too_many_requests",
            Rejection::Timeout => "request_timeout",
            Rejection::Panic => "internal_error",
        },
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Kind of problem: `urn:sojourn:problem:` and the code.
    #[schema(example = "urn:sojourn:problem:session_not_found")]
    r#type: String,
    /// Name of the HTTP status.
    #[schema(example = "Not Found")]
    title: String,
    /// HTTP status code.
    #[schema(example = 404)]
    status: u16,
    /// Stable code of the kind of problem.
    #[schema(example = "session_not_found")]
    code: String,
    /// Human-readable explanation.
    #[schema(example = "There is no such session")]
    detail: String,
    /// Invalid fields (422).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<InvalidField>,
}

/// An invalid field.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvalidField {
    /// Name of the field.
    field: String,
    /// Reason why the field is invalid, to be read after its name.
    message: String,
}
