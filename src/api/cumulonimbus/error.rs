//! Errors in Cumulonimbus's words: `{"code": "INVALID_USER_ERROR", "message": "Invalid User"}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::{Failure, Rejection};
use crate::api::family::Family;
use crate::api::json::Json;
use crate::sessions::{Error, Refusal};

/// The Cumulonimbus family.
pub struct Cumulonimbus;

impl Family for Cumulonimbus {
    const NAME: &'static str = "cumulonimbus";
    const PREFIXES: &'static [&'static str] = &["/api/user", "/user"];
    const COOKIE: bool = true;
    const BLANK_IS_DEFAULT: &'static [&'static str] = &["limit", "offset"];
    /// The URI of a nested route has no `/api` any more.
    const ENDS_OWN_SESSION: &'static [&'static str] = &["/user/sessions/all", "/user/sessions/all?allButSelf=false"];

    fn respond(failure: &Failure) -> Response {
        let status = match failure {
            Failure::Core(Error::Unauthenticated(Refusal::Banned(_))) => StatusCode::FORBIDDEN,
            other => other.status_without_422(),
        };
        let (code, message) = words(failure);
        let sessions = match failure {
            Failure::Core(Error::AmbiguousSession(ids)) => ids.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let fields = failure.fields().iter().map(|error| error.field.to_string()).collect();
        (status, Json(ErrorResponse { code, message, fields, sessions })).into_response()
    }
}

fn words(failure: &Failure) -> (&'static str, &'static str) {
    match failure {
        Failure::Core(error) => match error {
            Error::Unauthenticated(Refusal::Banned(_)) | Error::UserBanned => ("BANNED_ERROR", "Banned"),
            Error::Unauthenticated(Refusal::CrossSite | Refusal::NoOrigin)
            | Error::Forbidden { .. }
            | Error::BoundKey
            | Error::Unmet(_) => ("INSUFFICIENT_PERMISSIONS_ERROR", "Missing Permissions"),
            Error::Unauthenticated(_)
            | Error::InvalidClient(_)
            | Error::SessionNotFound
            | Error::SessionNotActive
            | Error::InvalidGrant(_) => ("INVALID_SESSION_ERROR", "Invalid Session"),
            Error::UserNotFound => ("INVALID_USER_ERROR", "Invalid User"),
            Error::AmbiguousSession(_) => ("AMBIGUOUS_SESSION_ERROR", "Ambiguous Session"),
            Error::Invalid(_) => ("MISSING_FIELDS_ERROR", "Missing Fields"),
            Error::ServiceKeyNotFound
            | Error::ApplicationNotFound
            | Error::ApplicationExists
            | Error::SessionLimitReached
            | Error::IdempotencyKeyReused
            | Error::SearchTooBroad
            | Error::TooManyStreams
            | Error::Unavailable(_)
            | Error::Internal(_) => ("INTERNAL_SERVER_ERROR", "Internal Server Error"),
        },
        Failure::Request(rejection) => match rejection {
            Rejection::UnknownPath
            | Rejection::NeedlessSlash(_)
            | Rejection::NotThere(_)
            | Rejection::MethodNotAllowed => ("INVALID_ENDPOINT_ERROR", "Invalid Endpoint"),
            Rejection::TooLarge | Rejection::TooMany { .. } => ("BODY_TOO_LARGE_ERROR", "Body Too Large"),
            Rejection::UnsupportedMediaType(_) | Rejection::UnsupportedEncoding => {
                ("UNSUPPORTED_MEDIA_TYPE_ERROR", "Unsupported Media Type")
            }
            Rejection::Malformed(_) | Rejection::UnsupportedGrant => ("BAD_REQUEST_ERROR", "Bad Request"),
            Rejection::Invalid(_) => ("MISSING_FIELDS_ERROR", "Missing Fields"),
            Rejection::TooManyRequests { .. } => {
                ("RATELIMITED_ERROR", "You Have Been Ratelimited. Please Try Again Later.")
            }
            Rejection::Timeout => ("REQUEST_TIMEOUT_ERROR", "Request Timeout"),
            Rejection::Busy | Rejection::Panic => ("INTERNAL_SERVER_ERROR", "Internal Server Error"),
        },
    }
}

/// Error response.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorResponse {
    /// Error code.
    #[schema(value_type = String, example = "INVALID_USER_ERROR")]
    code: &'static str,
    /// Human-readable explanation.
    #[schema(value_type = String, example = "Invalid User")]
    message: &'static str,
    /// Missing or invalid fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    fields: Vec<String>,
    /// Ids of the sessions that share the given `iat`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    sessions: Vec<String>,
}
