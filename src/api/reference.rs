//! The browsable reference at `/docs/`: Swagger UI in the clothes of the console, with all its assets in this binary.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerFile, Url};

use super::announcements::{announce_redirection, with_page};
use super::app::App;
use super::docs_page::{DocsPage, Part, icon, style};
use super::extract::PathText;
use super::failure::Rejection;
use super::family::Refused;
use super::native::{self, Native};
use super::registry::FAMILIES;
use crate::sessions::Error;

type Refusal = Refused<Native>;

/// The routes.
pub(super) fn router() -> Router<Arc<App>> {
    announce_redirection("/docs");
    let router = Router::new().route("/docs", get(async || Redirect::to("/docs/")));
    let router = with_page(router, "/docs/", get(async || reference()));
    let router = with_page(router, "/docs/docs.css", get(style));
    let router = with_page(router, "/docs/icon.svg", get(icon));
    let router = with_page(router, "/docs/{*rest}", get(async |file: PathText<Native>| asset(&file)));
    router.layer(middleware::from_fn(only_own_assets))
}

/// The page.
fn reference() -> Response {
    const HEAD: &str = "<link rel=\"stylesheet\" href=\"./swagger-ui.css\">";
    const BODY: &str = "<main id=\"main\"><div id=\"swagger-ui\"></div></main>\
        <script src=\"./swagger-ui-bundle.js\" charset=\"utf-8\"></script>\
        <script src=\"./swagger-ui-standalone-preset.js\" charset=\"utf-8\"></script>\
        <script src=\"./swagger-initializer.js\" charset=\"utf-8\"></script>";
    static PAGE: LazyLock<String> =
        LazyLock::new(|| DocsPage { title: "Reference", part: Part::Reference, head: HEAD, body: BODY }.html());
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.as_str()).into_response()
}

/// A file of Swagger UI.
fn asset(name: &str) -> Result<Response, Refusal> {
    if name == "index.html" {
        return Ok(reference());
    }
    let file = utoipa_swagger_ui::serve(name, config()).map_err(|error| Error::Internal(error.to_string().into()))?;
    let SwaggerFile { bytes, content_type, .. } = file.ok_or(Rejection::UnknownPath)?;
    Ok(([(header::CONTENT_TYPE, content_type)], bytes.into_owned()).into_response())
}

/// The documents that the reference offers, the native family's first.
fn config() -> Arc<Config<'static>> {
    // Relative to `/docs/`, so that they work below any path prefix of a reverse proxy.
    static FAMILY_URLS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
        FAMILIES.iter().map(|family| (family.name, format!("../openapi/{}.yaml", family.name))).collect()
    });
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        let native = native::MOUNT.name;
        let families = FAMILY_URLS.iter().map(|(name, url)| Url::with_primary(name, url, *name == native));
        let documents = families.chain([Url::new("all", "../openapi.yaml")]);
        Arc::new(Config::new(documents).validator_url("none").doc_expansion("none"))
    });
    Arc::clone(&CONFIG)
}

/// Forbids the reference to load assets from elsewhere, and other sites to frame it.
async fn only_own_assets(request: Request, next: Next) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                          connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    response
}
