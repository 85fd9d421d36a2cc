//! The routes for operators and readers: health, metrics, the documents, the guides, the reference.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::announcements::with_page;
use super::app::App;
use super::failure::Rejection;
use super::family::Refused;
use super::guides;
use super::native;
use super::openapi::DocumentError;
use super::openapi::{DocumentForm, served_document};
use super::reference;
use super::registry::FAMILIES;
use crate::sessions::{Error, Problem};

type Refusal = Refused<native::Native>;

/// The routes.
pub(super) fn router() -> Router<Arc<App>> {
    let pages = [
        ("/", get(greeting)),
        ("/openapi.yaml", get(served)),
        ("/openapi.json", get(served)),
        ("/openapi-3.0.json", get(served)),
        ("/openapi/{file}", get(served)),
    ];
    pages
        .into_iter()
        .fold(health_router(), |router, (path, page)| with_page(router, path, page))
        .merge(guides::router())
        .merge(reference::router())
        .method_not_allowed_fallback(async || Refusal::from(Rejection::MethodNotAllowed))
}

/// The routes of health.
pub(super) fn health_router() -> Router<Arc<App>> {
    with_page(with_page(Router::new(), "/healthz", get(healthy)), "/readyz", get(ready))
}

/// The route of the metrics, on the main address or their own.
pub(super) fn metrics_router() -> Router<Arc<App>> {
    with_page(Router::new(), "/metrics", get(metrics))
}

/// The metrics in Prometheus' text format.
async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    app.sessions.measure();
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4"), (header::CACHE_CONTROL, "no-store")];
    (headers, crate::metrics::render())
}

/// Liveness: answers as long as the process runs.
async fn healthy() -> &'static str {
    "ok\n"
}

/// Readiness: the database answers, its tables are of this version, and the server is not about to stop.
async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Response> {
    app.sessions.ready(app.surroundings()).await.map(|()| "ready\n").map_err(not_ready)
}

fn not_ready(problem: Problem) -> Response {
    let (status, message) = (StatusCode::SERVICE_UNAVAILABLE, problem.message().to_owned());
    let problem = native::problem(status, problem.code(), message, &[]);
    ([(header::RETRY_AFTER, "1"), (header::CACHE_CONTROL, "no-store")], problem).into_response()
}

/// Documents by path, each with its content type.
type Documents = HashMap<String, (&'static str, Bytes)>;

/// The documents, which are made once, because anybody may request them.
static DOCUMENTS: LazyLock<Result<Documents, DocumentError>> = LazyLock::new(|| {
    let mut documents = HashMap::new();
    let families = FAMILIES.iter().map(|family| Some(family.name)).chain([None]);
    for (family, form) in families.flat_map(|family| DocumentForm::ALL.map(|form| (family, form))) {
        let path = family.map_or_else(|| "/openapi".to_owned(), |family| format!("/openapi/{family}")) + form.suffix();
        documents.extend(served_document(family, form)?.map(|text| (path, (form.content_type(), Bytes::from(text)))));
    }
    Ok(documents)
});

async fn served(uri: Uri) -> Result<Response, Refusal> {
    let documents = DOCUMENTS.as_ref().map_err(|error| Error::Internal(error.into()))?;
    let (content_type, document) = documents.get(uri.path()).ok_or(Rejection::UnknownPath)?;
    Ok(([(header::CONTENT_TYPE, *content_type)], document.clone()).into_response())
}

/// A page for a person who opens the server's address: where to read on. The links are relative, so that they work below
/// any path prefix of a reverse proxy.
async fn greeting() -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    const PAGE: &str = concat!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Sojourn</title>",
        "<link rel=\"icon\" href=\"docs/icon.svg\"><link rel=\"stylesheet\" href=\"docs/docs.css\"></head><body><main class=\"start\">\n",
        "<h1>Sojourn ",
        env!("CARGO_PKG_VERSION"),
        "</h1>\n",
        "<p>A session server.</p>\n<ul>\n",
        "<li>Reference: <a href=\"docs/\">/docs</a></li>\n",
        "<li>Guides: <a href=\"docs/guide/README.md\">/docs/guide</a></li>\n",
        "<li>OpenAPI: <a href=\"openapi.yaml\">/openapi.yaml</a>, <a href=\"openapi.json\">/openapi.json</a>, ",
        "<a href=\"openapi-3.0.json\">/openapi-3.0.json</a></li>\n",
        "<li>Health checks: <a href=\"healthz\">/healthz</a>, <a href=\"readyz\">/readyz</a></li>\n",
        "</ul></main></body></html>\n",
    );
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], PAGE).into_response()
}
