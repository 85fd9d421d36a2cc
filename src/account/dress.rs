//! The layer around all routes of the page: the look of a request, pages for failures, and the headers of pages.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};

use super::assets::Assets;
use super::family::Undressed;
use super::look::Look;
use super::words::{Problem, Words};
use crate::api::{REQUEST_ID, page_headers};
use crate::config::AccountConfig;

/// What the layer knows.
pub(super) struct Wardrobe {
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
    look: &'a Look,
    heading: &'a str,
    text: &'a str,
    action: &'a str,
    target: &'a str,
    request_id: Option<&'a str>,
}

/// Gives a request its look, and makes a page of a failure.
pub(super) async fn dress(State(wardrobe): State<Arc<Wardrobe>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let look = Look::new(&wardrobe.config, &wardrobe.assets, &parts);
    let (uri, request_id) = (parts.uri.clone(), parts.headers.get(REQUEST_ID).cloned());
    parts.extensions.insert(look.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(Undressed(problem)) = response.extensions().get().copied() {
        let request_id = request_id.as_ref().and_then(|id| id.to_str().ok());
        response = dressed(response, &look, after(problem, &uri), request_id);
    }
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("accept-language, cookie"));
    page_headers::secure(headers, &wardrobe.policy);
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
fn dressed(failure: Response, look: &Look, problem: Problem, request_id: Option<&str>) -> Response {
    let words = look.words;
    let (heading, text) = (words.problem)(problem);
    let sessions = format!("{}sessions", look.up);
    let (action, target) = match problem {
        Problem::NotSignedIn | Problem::JustSignedOut | Problem::SignInAgain => (words.to_sign_in, &look.way_back),
        Problem::LinkGone | Problem::Closed => (words.back, &look.way_back),
        _ => (words.to_sessions, &sessions),
    };
    let is_ours = matches!(problem, Problem::Broken | Problem::Unreachable);
    let request_id = request_id.filter(|_| is_ours);
    let page = Message { words, look, heading, text, action, target, request_id };
    let (mut parts, _) = failure.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    match page.render() {
        Ok(text) => (parts, Html(text)).into_response(),
        Err(_) => (parts, heading).into_response(),
    }
}
