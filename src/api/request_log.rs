//! The log's line and the id of each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use tracing::Instrument as _;

use super::App;
use super::guard::FamilyName;
use crate::clock::{Entropy, EntropyUnavailable};
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
        let family = response.extensions().get().map_or("none", |FamilyName(name)| name);
        metrics::answered(family, route, method, status, took);
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

/// Ids for requests: UUIDs version 7 that count up from a random beginning (RFC 9562 section 6.2, method 2). They need
/// not be unguessable: fresh randomness for each request would cost more than everything else about its id.
#[derive(Debug)]
pub struct RequestIds {
    process: [u8; 2],
    next: AtomicU64,
}

impl RequestIds {
    /// Draws the random beginning.
    pub fn new(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let (mut process, mut next) = ([0; 2], [0; 8]);
        entropy.fill(&mut process)?;
        entropy.fill(&mut next)?;
        Ok(Self { process, next: AtomicU64::new(u64::from_be_bytes(next)) })
    }

    fn next(&self, now: DateTime<Utc>) -> Option<HeaderValue> {
        let mut bytes = [0; 10];
        let (process, number) = bytes.split_at_mut(self.process.len());
        process.copy_from_slice(&self.process);
        number.copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut [0; 36])).ok()
    }
}
