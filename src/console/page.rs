//! The page of the console. It is one file; which screen it shows, it reads from its address.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::assets::Release;
use crate::api::page_headers;

/// The page, for any path of the console.
pub(super) async fn page(request: Request) -> Response {
    let release = Release::current();
    let html = release.page.replace("{assets}", &assets_from(request.uri().path(), &release.name));
    let mut headers = HeaderMap::new();
    page_headers::secure(&mut headers, &page_headers::policy(&[]));
    // The next page may be of another release.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    (headers, html).into_response()
}

/// The path of a release's files, as seen from a page: relative, so that it works below any path prefix of a reverse proxy.
fn assets_from(path: &str, release: &str) -> String {
    match path.strip_prefix("/admin/") {
        None => format!("admin/assets/{release}"),
        Some(rest) => format!("{}assets/{release}", "../".repeat(rest.matches('/').count())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_found_from_every_page() {
        for (path, expected) in [
            ("/admin", "admin/assets/r"),
            ("/admin/", "assets/r"),
            ("/admin/sessions", "assets/r"),
            ("/admin/sessions/", "../assets/r"),
            ("/admin/sessions/0199", "../assets/r"),
            ("/admin/users/a%2Fb/more", "../../assets/r"),
        ] {
            assert_eq!(assets_from(path, "r"), expected, "{path}");
        }
    }
}
