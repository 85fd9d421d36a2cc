//! The guards around a family's routes, and the family's answer to a path without a route.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::announcements::announce_document;
use super::app::App;
use super::documented::{Documented, only_documented};
use super::endings::{Reserved, only_ends_sessions};
use super::failure::MAX_BODY_BYTES;
use super::failure::Rejection;
use super::family::{Family, Refused};
use super::limits::BudgetSlot;
use super::session_cookie::CookieSlot;
use crate::telemetry;

/// The longest that a request may take. The store has shorter timeouts of its own, so this one is for slow senders.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The family's answer to a request that none of its routes takes.
pub(super) fn refused<F: Family>(rejection: &Rejection) -> Response {
    private(Refused::<F>::from(rejection.clone()).into_response())
}

/// The family's answer if `path` is below one of its prefixes.
pub(super) fn refused_below<F: Family>(path: &str, rejection: &Rejection) -> Option<Response> {
    let below = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    F::PREFIXES.iter().any(below).then(|| refused::<F>(rejection))
}

/// Puts the guards of family `F` around its routes.
pub(super) fn guard<F: Family>(family: OpenApiRouter<Arc<App>>, app: &Arc<App>) -> Router<Arc<App>> {
    let (router, document) = family.split_for_parts();
    guard_router::<F>(router, &document, app, Duration::ZERO)
}

/// Puts the guards of family `F` around a router that has the routes of the document: method, size, time, panics,
/// unknown parameters, and headers that keep answers private. `wait` is the longest that clients may ask to wait for an
/// answer.
pub(crate) fn guard_router<F: Family>(
    router: Router<Arc<App>>,
    document: &OpenApi,
    app: &Arc<App>,
    wait: Duration,
) -> Router<Arc<App>> {
    announce_document::<F>(document);
    let documented = Arc::new(Documented::new::<F>(document));
    let within = REQUEST_TIMEOUT + wait;
    router
        .method_not_allowed_fallback(async || Refused::<F>::from(Rejection::MethodNotAllowed))
        // A tuple, the outermost first, is one layer: each layer boxes every route.
        .layer((
            middleware::from_fn_with_state((Arc::clone(app), within), within_limits::<F>),
            CatchPanicLayer::custom(|cause: Box<dyn Any + Send>| panicked::<F>(cause.as_ref())),
            DefaultBodyLimit::max(MAX_BODY_BYTES),
            middleware::from_fn_with_state(documented, only_documented::<F>),
        ))
}

fn panicked<F: Family>(cause: &(dyn Any + Send)) -> Response {
    tracing::error!(cause = telemetry::panic_cause(cause), "a handler broke down");
    Refused::<F>::from(Rejection::Panic).into_response()
}

async fn within_limits<F: Family>(
    State((app, within)): State<(Arc<App>, Duration)>,
    mut request: Request,
    next: Next,
) -> Response {
    let slot = BudgetSlot::default();
    let cookie = CookieSlot::default();
    request.extensions_mut().insert(slot.clone());
    request.extensions_mut().insert(cookie.clone());
    let mut response = within_size_and_time::<F>(request, next, within).await;
    cookie.clear_if_ended(&app, &mut response).await;
    match slot.take() {
        Some(budget) if F::STANDARD_LIMITS => budget.write_standard_headers(response.headers_mut()),
        Some(budget) => budget.write_original_headers(response.headers_mut(), app.sessions.now()),
        None => {}
    }
    response
}

async fn within_size_and_time<F: Family>(request: Request, next: Next, within: Duration) -> Response {
    let is_reserved = request.extensions().get::<Reserved>().is_some();
    if is_reserved && !only_ends_sessions::<F>(request.method(), request.uri().path()) {
        return private(Refused::<F>::from(Rejection::Busy).into_response());
    }
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY_BYTES as u64) {
        return private(Refused::<F>::from(Rejection::TooLarge).into_response());
    }
    let response = tokio::time::timeout(within, next.run(request)).await;
    private(response.unwrap_or_else(|_| Refused::<F>::from(Rejection::Timeout).into_response()))
}

/// Forbids that an answer is stored by a cache or sniffed as another type.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
