//! The routes for operators and readers: health, metrics, the documents, the guides, the reference.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerUi, Url};

use super::announcements::{announce_page, announce_redirection};
use super::app::App;
use super::extract::PathText;
use super::failure::Rejection;
use super::family::Refused;
use super::guides;
use super::native;
use super::openapi::DocumentError;
use super::openapi::{document, family_document};
use super::registry::FAMILIES;
use crate::sessions::{Error, NotReady};

type Refusal = Refused<native::Native>;

/// The routes.
pub(super) fn router() -> Router<Arc<App>> {
    for path in ["/healthz", "/readyz", "/openapi.yaml", "/openapi/{family}", "/docs/", "/docs/{*rest}"] {
        announce_page(path);
    }
    announce_redirection("/docs");
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/openapi.yaml", get(merged_document))
        .route("/openapi/{family}", get(one_document))
        .merge(guides::router())
        .merge(Router::from(reference()).layer(middleware::from_fn(only_own_assets)))
        .method_not_allowed_fallback(async || Refusal::from(Rejection::MethodNotAllowed))
}

/// The route of the metrics, on the main address or their own.
pub(super) fn metrics_router() -> Router<Arc<App>> {
    announce_page("/metrics");
    Router::new().route("/metrics", get(metrics))
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
    if *app.stopping.borrow() {
        return Err(not_ready("stopping", "The server is about to stop"));
    }
    match app.sessions.ready().await {
        Ok(()) => Ok("ready\n"),
        Err(error) => {
            tracing::warn!(error = %crate::error_chain::chain(&error), "not ready");
            Err(match error {
                NotReady::Database(_) => not_ready("database", "The database does not answer"),
                NotReady::Migrations => not_ready("migrations", "The database has not been migrated to this version"),
            })
        }
    }
}

/// The answer while not ready; `code` is the reason in one word.
fn not_ready(code: &str, detail: &str) -> Response {
    let problem = native::problem(StatusCode::SERVICE_UNAVAILABLE, code, detail.to_owned(), &[]);
    ([(header::RETRY_AFTER, "1"), (header::CACHE_CONTROL, "no-store")], problem).into_response()
}

/// The documents by name. They are made once, because anybody may request them.
static DOCUMENTS: LazyLock<Result<HashMap<&str, Bytes>, DocumentError>> = LazyLock::new(|| {
    let mut documents = HashMap::from([(MERGED, Bytes::from(document()?))]);
    for family in FAMILIES {
        documents.extend(family_document(family.name)?.map(|document| (family.name, Bytes::from(document))));
    }
    Ok(documents)
});
const MERGED: &str = "";

async fn merged_document() -> Result<Response, Refusal> {
    yaml(MERGED)
}

/// The document of one family, at `/openapi/{family}.yaml`.
async fn one_document(file: PathText<native::Native>) -> Result<Response, Refusal> {
    let name = file.strip_suffix(".yaml").filter(|name| *name != MERGED).ok_or(Rejection::UnknownPath)?;
    yaml(name)
}

fn yaml(name: &str) -> Result<Response, Refusal> {
    let documents = DOCUMENTS.as_ref().map_err(|error| Error::Internal(error.into()))?;
    let document = documents.get(name).ok_or(Rejection::UnknownPath)?;
    Ok(([(header::CONTENT_TYPE, "application/yaml")], document.clone()).into_response())
}

/// The browsable reference, with all its assets in this binary.
fn reference() -> SwaggerUi {
    // Relative to `/docs/`, so that they work below any path prefix of a reverse proxy.
    let all = std::iter::once(Url::new("all", "../openapi.yaml"));
    let families = FAMILIES.iter().map(|family| Url::from(format!("../openapi/{}.yaml", family.name)));
    let config = Config::new(all.chain(families)).validator_url("none").doc_expansion("none");
    SwaggerUi::new("/docs").config(config)
}

/// Forbids the reference to load assets from elsewhere, and other sites to frame it.
async fn only_own_assets(request: axum::extract::Request, next: Next) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                          connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    response
}
