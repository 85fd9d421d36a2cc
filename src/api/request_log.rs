//! The log's line and the id of each request.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::app::App;
use crate::metrics;
use crate::sessions::Sessions;
use crate::tokens::Form;

/// The header that carries a request's id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Gives each request an id, or takes the one that it came with, and logs the answer under that id.
///
/// The route's template is logged, not the path: the only part of the line that a client chooses is a request id of
/// harmless characters.
pub async fn log_requests(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .filter(|value| is_harmless(value, &app.sessions))
        .cloned()
        .or_else(|| app.request_ids.next(app.sessions.now()));
    let id = id.unwrap_or_else(|| HeaderValue::from_static("unknown"));
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = standard_method(request.method());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), method, route);
    let started = Instant::now();
    let mut response = async {
        let response = next.run(request).await;
        let (status, took) = (response.status().as_u16(), started.elapsed());
        tracing::info!(status, microseconds = took.as_micros(), "answered");
        let path = matched.as_ref().map(MatchedPath::as_str);
        metrics::answered(path, metrics::Method::parse(method), status, took);
        response
    }
    .instrument(span)
    .await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The method as the log and the metrics name it: a client can make up any method, of any length.
fn standard_method(method: &Method) -> &'static str {
    const STANDARD: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    STANDARD.into_iter().find(|name| method == name).unwrap_or("other")
}

/// Whether a request's id may be logged and answered: it is not a credential in the wrong header.
fn is_harmless(id: &HeaderValue, sessions: &Sessions) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    let plain = !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.as_bytes().iter().all(allowed);
    plain && id.to_str().is_ok_and(|text| !may_hold_token(text) && !sessions.is_bootstrap_key(text))
}

/// Whether a text may contain one of our tokens or the start of one (RFC 7515: a JWT starts with the base64 of `{"`).
fn may_hold_token(text: &str) -> bool {
    Form::PREFIXES.iter().any(|prefix| text.contains(prefix)) || text.contains("eyJ")
}
