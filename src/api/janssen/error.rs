//! Errors in Janssen's words: `{"code": "404", "message": "…"}`.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::Failure;
use crate::api::family::Family;
use crate::api::json::Json;

/// The path that the original's server is deployed at.
pub(super) const DEPLOYED_AT: &str = "/jans-config-api";

/// The Janssen family.
pub struct Janssen;

impl Family for Janssen {
    const NAME: &'static str = "janssen";
    const PREFIXES: &'static [&'static str] = &["/api/v1/jans-auth-server", DEPLOYED_AT];
    const BLANK_IS_DEFAULT: &'static [&'static str] = &["pattern", "fieldValuePair", "sortBy", "sortOrder"];

    fn respond(failure: &Failure) -> Response {
        let status = match failure.status_without_422() {
            StatusCode::FORBIDDEN => StatusCode::UNAUTHORIZED,
            status => status,
        };
        (status, Json(ApiError { code: status.as_str().to_owned(), message: failure.message() })).into_response()
    }
}

/// Error response.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiError {
    /// HTTP status code as text.
    #[schema(example = "404")]
    code: String,
    /// Human-readable explanation.
    #[schema(example = "The requested sid doesn't exist")]
    message: String,
}
