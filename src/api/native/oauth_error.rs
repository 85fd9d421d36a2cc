//! The family of the standards' paths, and its errors (RFC 6749 section 5.2).

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::{Failure, Rejection};
use crate::api::family::Family;
use crate::api::json::Json;
use crate::sessions::{Error, GrantRefusal};

/// The family of the standards' paths, which is part of the native one.
pub struct OAuth;

impl Family for OAuth {
    const NAME: &'static str = "oauth";
    const PREFIXES: &'static [&'static str] = &["/oauth2", "/.well-known"];
    const ENDS_OWN_SESSION: &'static [&'static str] = &["/oauth2/revoke"];
    const CLIENTS: bool = true;
    const STANDARD_LIMITS: bool = true;
    /// RFC 6749 section 3.2 for the token endpoint; RFC 7009 section 2.1 and RFC 7662 section 2.1 build on it.
    const IGNORING: &'static [&'static str] = &["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];

    fn is_ending_post(path: &str) -> bool {
        path == "/oauth2/revoke"
    }

    fn respond(failure: &Failure) -> Response {
        let error = match failure {
            Failure::Core(Error::Unauthenticated(_)) => "invalid_token",
            Failure::Core(Error::InvalidClient(_)) => "invalid_client",
            Failure::Core(Error::Forbidden { .. }) => "insufficient_scope",
            Failure::Core(Error::InvalidGrant(GrantRefusal::WiderScope)) => "invalid_scope",
            Failure::Core(Error::InvalidGrant(_)) => "invalid_grant",
            Failure::Core(Error::Unavailable(_)) | Failure::Request(Rejection::Busy) => "temporarily_unavailable",
            Failure::Request(Rejection::TooManyRequests { .. }) => "too_many_requests",
            Failure::Core(Error::Internal(_)) | Failure::Request(Rejection::Panic) => "server_error",
            Failure::Request(Rejection::UnsupportedGrant) => "unsupported_grant_type",
            _ => "invalid_request",
        };
        let body = OAuthError { error: error.to_owned(), error_description: failure.message() };
        (failure.status(), Json(body)).into_response()
    }
}

/// An error as RFC 6749 section 5.2 has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthError {
    /// Error code.
    #[schema(example = "invalid_grant")]
    error: String,
    /// Human-readable explanation.
    error_description: String,
}
