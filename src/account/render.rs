//! The middleware around all routes of the page: the context of a request, pages for failures, and the headers of pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};

use super::assets::Assets;
use super::context::PageContext;
use super::family::Unrendered;
use super::words::{Problem, Words};
use crate::api::{REQUEST_ID, page_headers};
use crate::config::AccountConfig;

/// The state of the middleware.
pub(super) struct RenderState {
    /// The settings.
    pub(super) config: AccountConfig,
    /// The files.
    pub(super) assets: Arc<Assets>,
    /// The policy of every page.
    pub(super) policy: HeaderValue,
}

/// A page with a few words and one way on.
#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    words: &'a Words,
    context: &'a PageContext,
    heading: &'a str,
    text: &'a str,
    action: &'a str,
    target: &'a str,
    request_id: Option<&'a str>,
}

/// Gives a request its context, and renders a page for a failure.
pub(super) async fn render(State(state): State<Arc<RenderState>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let context = PageContext::new(&state.config, &state.assets, &parts);
    let (uri, request_id) = (parts.uri.clone(), parts.headers.get(REQUEST_ID).cloned());
    parts.extensions.insert(context.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(Unrendered(problem)) = response.extensions().get().copied() {
        let request_id = request_id.as_ref().and_then(|id| id.to_str().ok());
        response = rendered(response, &context, after(problem, &uri), request_id);
    }
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("accept-language, cookie"));
    page_headers::secure(headers, &state.policy);
    response
}

/// The problem in the words of what came before: whoever has just signed out need not be told to sign in.
fn after(problem: Problem, uri: &Uri) -> Problem {
    match (problem, uri.query()) {
        (Problem::NotSignedIn, Some("done=signed-out")) => Problem::JustSignedOut,
        (Problem::NotSignedIn, Some("done=closed")) => Problem::Closed,
        (problem, _) => problem,
    }
}

/// The failure's answer with a page as its body.
fn rendered(failure: Response, context: &PageContext, problem: Problem, request_id: Option<&str>) -> Response {
    let words = context.words;
    let (heading, text) = (words.problem)(problem);
    let sessions = format!("{}sessions", context.up);
    let (action, target) = match problem {
        Problem::NotSignedIn | Problem::JustSignedOut | Problem::SignInAgain => (words.to_sign_in, &context.way_back),
        Problem::LinkGone | Problem::Closed => (words.back, &context.way_back),
        _ => (words.to_sessions, &sessions),
    };
    let is_ours = matches!(problem, Problem::Broken | Problem::Unreachable);
    let request_id = request_id.filter(|_| is_ours);
    let page = Message { words, context, heading, text, action, target, request_id };
    let (mut parts, _) = failure.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match page.render() {
        Ok(text) => (parts, Html(text)).into_response(),
        Err(_) => (parts, heading).into_response(),
    }
}
