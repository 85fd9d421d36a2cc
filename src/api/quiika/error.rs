//! Errors in Quiika's words: `{"message": "…", "status": "404 NOT_FOUND"}`.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::Failure;
use crate::api::family::Family;
use crate::api::json::Json;
use crate::sessions::Error;

/// The Quiika family.
pub struct Quiika;

impl Family for Quiika {
    const NAME: &'static str = "quiika";
    const PREFIXES: &'static [&'static str] = &["/auth"];
    const ENDS_OWN_SESSION: &'static [&'static str] = &["/auth/sessions/all"];

    fn respond(failure: &Failure) -> Response {
        let status = failure.status();
        let message = match failure {
            Failure::Core(Error::SessionNotFound) => "Session not found or does not belong to the user".to_owned(),
            other => other.message(),
        };
        let name = status.canonical_reason().unwrap_or_default().to_ascii_uppercase().replace([' ', '-'], "_");
        let body = ErrorResponse { message, status: format!("{} {name}", status.as_u16()) };
        (status, Json(body)).into_response()
    }
}

/// Error response.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorResponse {
    /// Human-readable explanation.
    #[schema(example = "Session not found or does not belong to the user")]
    message: String,
    /// HTTP status as number and name.
    #[schema(example = "404 NOT_FOUND")]
    status: String,
}
