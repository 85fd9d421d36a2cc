//! Errors in Blackbox's words: its envelope without data, `{"success": false, "message": "…"}`.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::failure::Failure;
use crate::api::family::Family;
use crate::api::json::Json;

/// The Blackbox family.
pub struct Blackbox;

impl Family for Blackbox {
    const NAME: &'static str = "blackbox";
    const PREFIXES: &'static [&'static str] = &["/api/v0"];

    fn is_ending_post(path: &str) -> bool {
        path == "/api/v0/sessions/revoke-all"
    }

    fn respond(failure: &Failure) -> Response {
        let body = ErrorResponse { success: false, message: failure.message() };
        (failure.status_without_422(), Json(body)).into_response()
    }
}

/// Error response.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorResponse {
    /// Always false.
    #[schema(example = false)]
    success: bool,
    /// Human-readable explanation.
    #[schema(example = "There is no such session")]
    message: String,
}
