//! The log's line and the id of each request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use super::app::App;
use super::request_notes::{CallerSlot, Cause, NotedCaller};
use crate::metrics;
use crate::sessions::Sessions;
use crate::tokens::Form;

/// The header that carries a request's id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The routes that machines ask all day: their lines are for debugging.
const PROBES: [&str; 3] = ["/metrics", "/healthz", "/readyz"];

/// Gives each request an id, or takes the one that it came with, and logs the answer under that id, in one line.
///
/// The route's template is logged, not the path: the only part of the line that a client chooses is a request id of
/// harmless characters. The span adds the address to every line that the request causes.
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
    let path = matched.as_ref().map(MatchedPath::as_str);
    let method = standard_method(request.method());
    let span = span_of(&app, &request, &id, method, path);
    let caller = CallerSlot::default();
    request.extensions_mut().insert(caller.clone());
    let started = Instant::now();
    let mut response = async {
        let response = next.run(request).await;
        let (status, took) = (response.status().as_u16(), started.elapsed());
        let answer = Answer { status, took, cause: response.extensions().get(), caller: caller.get() };
        if path.is_some_and(|path| PROBES.contains(&path)) {
            answer.log_probe();
        } else {
            answer.log();
        }
        metrics::answered(path, metrics::Method::parse(method), status, took);
        response
    }
    .instrument(span)
    .await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The span of a request. The core fills in the session that it opens or refreshes.
fn span_of(app: &App, request: &Request, id: &HeaderValue, method: &str, path: Option<&str>) -> Span {
    let address = app.kept_address(request.headers(), request.extensions()).map(display);
    let (id, route) = (id.to_str().unwrap_or_default(), path.unwrap_or("unmatched"));
    tracing::info_span!("request", id, address, method, route, session = Empty, user = Empty, outcome = Empty)
}

/// An answer, as its line in the log tells it.
struct Answer<'a> {
    status: u16,
    took: Duration,
    cause: Option<&'a Cause>,
    caller: Option<&'a NotedCaller>,
}

/// The line of an answer, at a level.
macro_rules! line {
    ($level:ident, $answer:expr) => {{
        let Answer { status, took, cause, caller } = $answer;
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let cause = cause.map(|Cause(cause)| cause.as_ref());
        let credential = caller.map(|caller| display(caller.credential));
        let caller_user = caller.and_then(|caller| caller.user.as_deref());
        let caller_name = caller.and_then(|caller| caller.name.as_deref());
        tracing::$level!(status, microseconds, cause, caller = credential, caller_user, caller_name, "answered");
    }};
}

impl Answer<'_> {
    fn log(self) {
        line!(info, self);
    }

    fn log_probe(self) {
        line!(debug, self);
    }
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
