//! Account links. A link is opened in two steps, because programs that preview or scan messages follow links.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;

use super::context::PageContext;
use super::family::Account;
use super::visit_cookie;
use super::words::Words;
use crate::api::limits::Counted;
use crate::api::{App, Refused, extract, require_own_page};
use crate::sessions::{Error, Refusal};
use crate::tokens::LinkText;

/// The page with the button that opens the link.
#[derive(Template)]
#[template(path = "link.html")]
struct Page<'a> {
    words: &'a Words,
    context: &'a PageContext,
    link: &'a str,
}

/// The form of that page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opening {
    link: String,
}

/// The page of a link. It looks nothing up, and so says nothing of whether there is such a link.
pub(super) async fn show(
    Extension(context): Extension<PageContext>,
    link: extract::PathText<Account>,
) -> Result<Html<String>, Refused<Account>> {
    let link = LinkText::parse(&link).map_err(|_| Error::from(Refusal::Link))?;
    let page = Page { words: context.words, context: &context, link: link.expose() };
    Ok(Html(page.render().map_err(|error| Error::Internal(error.into()))?))
}

/// Opens a link: this browser sees the page from now on. Only a page of ours may send the form, or another site could let
/// people look at its own user's page for theirs.
pub(super) async fn open(
    State(app): State<Arc<App>>,
    parts: Parts,
    form: extract::Form<Account, Opening>,
) -> Result<Response, Refused<Account>> {
    app.limits.admit::<Account>(&parts, Counted::Address)?;
    require_own_page(&parts, &app)?;
    let visit = app.sessions.begin_visit(&form.link).await?;
    let headers = [
        (header::SET_COOKIE, visit_cookie::set(&visit)?),
        (header::LOCATION, axum::http::HeaderValue::from_static("sessions")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}
