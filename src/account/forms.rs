//! The forms of the page. Each leads back to it, with a word for what was done.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;

use super::access::Access;
use super::family::Account;
use super::visit_cookie;
use super::words::Done;
use crate::api::{App, Refused, extract};
use crate::sessions::Error;

type Result = std::result::Result<Response, Refused<Account>>;
type SessionPath = extract::SessionPath<Account>;

/// A new name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    name: String,
}

/// Ends one session.
pub(super) async fn end(State(app): State<Arc<App>>, Access(access): Access, id: SessionPath) -> Result {
    app.sessions.end_on_account(&access, *id).await?;
    let is_current = access.own().is_ok_and(|me| me.session.id == *id);
    back("../../sessions", if is_current { "signed-out" } else { "ended" })
}

/// Ends all sessions but the current one.
pub(super) async fn end_others(State(app): State<Arc<App>>, Access(access): Access) -> Result {
    let ended = app.sessions.end_others_on_account(&access).await?;
    back("../sessions", &format!("others-{ended}"))
}

/// Names the device of a session.
pub(super) async fn rename(
    State(app): State<Arc<App>>,
    Access(access): Access,
    id: SessionPath,
    form: extract::Form<Account, Rename>,
) -> Result {
    app.sessions.rename_on_account(&access, *id, &form.name).await?;
    back("../../sessions", "renamed")
}

/// Ends the visit of this browser.
pub(super) async fn close(State(app): State<Arc<App>>, Access(_): Access, headers: HeaderMap) -> Result {
    if let Some(visit) = visit_cookie::read(&headers) {
        app.sessions.end_visit(&visit).await?;
    }
    let forgotten = AppendHeaders([(header::SET_COOKIE, visit_cookie::clear()?)]);
    Ok((forgotten, back("sessions", "closed")?).into_response())
}

/// The way back to the page. The address is relative, so that it holds below any path prefix of a proxy.
fn back(page: &str, done: &str) -> Result {
    let location = HeaderValue::try_from(format!("{page}?done={done}"));
    let location = location.map_err(|error| Error::Internal(error.into()))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// The outcome of a form, by its word in the page's address. Other parameters have no meaning.
pub(super) fn done(query: Option<&str>) -> Option<Done> {
    match query?.strip_prefix("done=")? {
        "ended" => Some(Done::Ended),
        "renamed" => Some(Done::Renamed),
        others => Some(Done::EndedOthers(others.strip_prefix("others-")?.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_only_what_the_page_has_words_for() {
        for (query, expected) in [
            (Some("done=ended"), Some(Done::Ended)),
            (Some("done=others-3"), Some(Done::EndedOthers(3))),
            (Some("done=others--3"), None),
            (Some("done=others-99999999999"), None),
            (Some("done=<b>"), None),
            (Some("utm_source=mail"), None),
            (None, None),
        ] {
            assert_eq!(done(query), expected, "{query:?}");
        }
    }
}
