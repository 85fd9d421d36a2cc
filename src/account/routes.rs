//! The routes of the page, and the guards around them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use utoipa::openapi::OpenApi;

use super::access::Access;
use super::assets::{self, Assets};
use super::context::PageContext;
use super::family::Account;
use super::render::{RenderState, render};
use super::{forms, links, live, page};
use crate::api::{App, Refused, Rejection, guard_router, page_headers, with_form, with_redirect, with_route};
use crate::config::ConsoleAddress;

/// The routes; none where the operator has switched the pages off.
pub fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    if app.http.console == ConsoleAddress::None {
        return Router::new();
    }
    let config = app.http.account.clone();
    let assets = Arc::new(Assets::new(&config));
    let policy = page_headers::policy(&config.frame_ancestors);
    let state = Arc::new(RenderState { config, assets: Arc::clone(&assets), policy });
    let router = guard_router::<Account>(unguarded(assets), &OpenApi::default(), app, Duration::ZERO);
    router.layer(middleware::from_fn_with_state(state, render))
}

fn unguarded(assets: Arc<Assets>) -> Router<Arc<App>> {
    let to = |location: &'static str| get(async move || (StatusCode::SEE_OTHER, [(header::LOCATION, location)]));
    let file = get(async move |path: RawPathParams| assets::file(&assets, &path));
    let nothing = get(async || Refused::<Account>::from(Rejection::UnknownPath));
    let router = with_redirect::<Account>(Router::new(), "/account", to("account/sessions"));
    let router = with_redirect::<Account>(router, "/account/", to("sessions"));
    let router = with_route::<Account>(router, "/account/sessions", get(sessions));
    let router = with_route::<Account>(router, "/account/events", get(live::events));
    let router = with_route::<Account>(router, "/account/links/{link}", get(links::show));
    let router = with_route::<Account>(router, "/account/assets/{hash}/{file}", file);
    let router = with_route::<Account>(router, "/account/{*path}", nothing);
    [
        ("/account/sessions/{id}/end", post(forms::end)),
        ("/account/sessions/{id}/rename", post(forms::rename)),
        ("/account/sessions/end-others", post(forms::end_others)),
        ("/account/links", post(links::open)),
        ("/account/close", post(forms::close)),
    ]
    .into_iter()
    .fold(router, |router, (path, form)| with_form::<Account>(router, path, form))
}

/// The page. Parameters of the address that it does not know say nothing, because mails and portals add some.
async fn sessions(
    State(app): State<Arc<App>>,
    Access(access): Access,
    Extension(context): Extension<PageContext>,
    RawQuery(query): RawQuery,
) -> Result<axum::response::Response, Refused<Account>> {
    Ok(page::page(&app.sessions, &access, &context, forms::done(query.as_deref())).await?.into_response())
}
