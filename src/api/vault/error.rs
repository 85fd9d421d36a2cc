//! Errors in Vault's words: `{"error": {"code": "NOT_FOUND", "message": "Resource not found"}}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::Failure;
use crate::api::family::Family;
use crate::api::json::Json;

/// The Vault family.
pub struct Vault;

impl Family for Vault {
    const NAME: &'static str = "vault";
    const PREFIXES: &'static [&'static str] = &["/api/v1/users"];
    const ENDS_OWN_SESSION: &'static [&'static str] = &["/api/v1/users/me/sessions"];

    fn respond(failure: &Failure) -> Response {
        let status = failure.status_without_422();
        let message = match status {
            StatusCode::UNAUTHORIZED => "Authentication required".to_owned(),
            StatusCode::NOT_FOUND => "Resource not found".to_owned(),
            _ => failure.message(),
        };
        let body = ErrorResponse { error: ErrorDetail { code: code(failure, status), message } };
        (status, Json(body)).into_response()
    }
}

fn code(failure: &Failure, status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST if failure.fields().is_empty() => "BAD_REQUEST",
        StatusCode::BAD_REQUEST => "VALIDATION_ERROR",
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        StatusCode::REQUEST_TIMEOUT => "REQUEST_TIMEOUT",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
        StatusCode::TOO_MANY_REQUESTS => "TOO_MANY_REQUESTS",
        StatusCode::SERVICE_UNAVAILABLE => "SERVICE_UNAVAILABLE",
        _ => "INTERNAL_ERROR",
    }
}

/// Error response.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorResponse {
    error: ErrorDetail,
}

/// Code and explanation of an error.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail {
    /// Error code.
    #[schema(value_type = String, example = "NOT_FOUND")]
    code: &'static str,
    /// Human-readable explanation.
    #[schema(example = "Resource not found")]
    message: String,
}
