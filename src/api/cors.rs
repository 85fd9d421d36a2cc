//! Calls of browsers from pages at other origins (CORS, in the Fetch standard): which may call, what they may send and what
//! they see.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::endings::is_check;
use super::request_log;
use crate::config::HttpConfig;
use crate::model::text::is_token;

/// The longest list of header names that a preflight may ask for, in bytes.
const MAX_ASKED_HEADERS: usize = 1024;

/// Lets pages at the origins of the settings call the routes; without such origins the router stays as it is.
pub(super) fn with_cors(router: Router, http: &HttpConfig) -> Router {
    if http.cors_origins.is_empty() {
        return router;
    }
    router.layer(layer(http)).layer(middleware::from_fn(preflights))
}

/// Prepares preflights for the layer of CORS, which answers each OPTIONS itself. A gateway's check by OPTIONS is handed on as
/// GET: the gateway would take the layer's answer for a passed check. Asked headers that no browser asks for are not
/// repeated.
async fn preflights(mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        if is_check(request.uri().path()) {
            *request.method_mut() = Method::GET;
        } else if !asks_for_headers(request.headers()) {
            request.headers_mut().remove(header::ACCESS_CONTROL_REQUEST_HEADERS);
        }
    }
    next.run(request).await
}

/// Whether the headers that a preflight asks for are a list of names, and not too long.
fn asks_for_headers(headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let (Some(names), None) = (asked.next(), asked.next()) else { return false };
    let are_names = |names: &str| names.split(',').all(|name| is_token(name.trim_matches([' ', '\t'])));
    names.len() <= MAX_ASKED_HEADERS && names.to_str().is_ok_and(are_names)
}

fn layer(http: &HttpConfig) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(http.cors_origins.iter().cloned()))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        // Tracing libraries add headers of their own to every request, and no list of them would be complete.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderName::from_static("x-ratelimit-remaining"),
            HeaderName::from_static("x-ratelimit-reset"),
            request_log::REQUEST_ID,
        ])
}
