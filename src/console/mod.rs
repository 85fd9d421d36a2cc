//! The console for staff, `/admin`: a page in the browser that calls the API like any other client, and its sign-in.

mod assets;
mod page;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use utoipa::openapi::OpenApi;

use crate::api::announcements::{announce_page, announce_page_with};
use crate::api::app::App;
use crate::api::guard::guard_router;
use crate::api::native::Native;
use crate::metrics::Method;

/// The routes of the console. Paths without a file or an operation are the page's own: it reads them in the browser.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let pages: [(&str, MethodRouter<Arc<App>>); 5] = [
        ("/admin", get(page::page)),
        ("/admin/", get(page::page)),
        ("/admin/{*path}", get(page::page)),
        ("/admin/assets/{release}/{*file}", get(assets::file)),
        ("/admin/me", get(sign_in::me)),
    ];
    let forms: [(&str, MethodRouter<Arc<App>>); 2] = [
        ("/admin/sign-in", get(page::page).merge(post(sign_in::sign_in))),
        ("/admin/sign-out", post(sign_in::sign_out)),
    ];
    let mut router = Router::new();
    for (path, route) in pages {
        announce_page(path);
        router = router.route(path, route);
    }
    for (path, route) in forms {
        announce_page_with(path, Method::Post);
        router = router.route(path, route);
    }
    announce_page("/admin/sign-in");
    guard_router::<Native>(router, &OpenApi::default(), app, Duration::ZERO)
}
